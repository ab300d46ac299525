/** A connection to a server on this machine that is as slow as the test wants, and tells how far it is. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

const PIECE_BYTES = 16 << 10;

export class SlowLink implements AsyncDisposable {
	/** Towards the client, and from it. */
	receivedBytes = 0;
	sentBytes = 0;
	readonly #sockets = new Set<Socket>();
	readonly #server: Server;

	private constructor(
		private readonly targetPort: number,
		/** In either direction; may be changed on the way. */
		public bytesPerSecond: number,
	) {
		this.#server = createServer({ allowHalfOpen: false }, (client) => this.#serve(client));
	}

	static async open(target: string, bytesPerSecond: number): Promise<SlowLink> {
		const link = new SlowLink(Number(target.split(":")[1]), bytesPerSecond);
		await new Promise<void>((resolve) => link.#server.listen(0, "127.0.0.1", resolve));
		return link;
	}

	get host(): string {
		return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** Connections that are open. */
	get connections(): number {
		return this.#sockets.size / 2;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#serve(client: Socket): void {
		const upstream = connect(this.targetPort, "127.0.0.1");
		for (const [socket, other] of [
			[client, upstream],
			[upstream, client],
		] as const) {
			this.#sockets.add(socket);
			// Either end may go at any time; the other goes with it.
			socket.on("error", () => socket.destroy());
			socket.on("close", () => {
				this.#sockets.delete(socket);
				other.destroy();
			});
		}
		void this.#pump(client, upstream, (bytes) => {
			this.sentBytes += bytes;
		});
		void this.#pump(upstream, client, (bytes) => {
			this.receivedBytes += bytes;
		});
	}

	async #pump(from: Socket, to: Socket, count: (bytes: number) => void): Promise<void> {
		try {
			for await (const chunk of from as AsyncIterable<Buffer>)
				for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
					const piece = chunk.subarray(at, at + PIECE_BYTES);
					await Bun.sleep((piece.length / this.bytesPerSecond) * 1000);
					if (to.destroyed) return;
					count(piece.length);
					if (!to.write(piece)) await new Promise<void>((resolve) => to.once("drain", resolve).once("close", resolve));
				}
			to.end();
		} catch {
			// The connection broke: both ends are being destroyed.
		}
	}
}
