import type { Socket } from "node:net";
import { Duplex } from "node:stream";

type Done = (error?: Error | null) => void;

/**
 * A connection that goes on as HTTP/2, as a stream of its own: the runtime's HTTP/2 reads a socket past what was put back into it, so
 * that bytes which came along with the upgrade's request would be lost. It ends with either side: HTTP/2 knows no half-closed connections.
 */
export class UpgradedSocket extends Duplex {
	constructor(private readonly socket: Socket) {
		super({ allowHalfOpen: false });
		socket.on("data", (chunk: Buffer) => {
			if (!this.push(chunk)) socket.pause();
		});
		socket.once("end", () => this.push(null));
		socket.once("close", () => this.destroy());
		this.on("error", () => {});
		socket.resume();
	}

	override _read(): void {
		if (!this.socket.destroyed) this.socket.resume();
	}

	override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
		if (this.socket.destroyed) return void done();
		if (this.socket.write(chunk)) done();
		else {
			const go = () => {
				this.socket.off("drain", go);
				this.socket.off("close", go);
				done();
			};
			this.socket.on("drain", go);
			this.socket.on("close", go);
		}
	}

	override _final(done: Done): void {
		this.socket.end();
		done();
	}

	override _destroy(error: Error | null, done: Done): void {
		this.socket.destroy();
		done(error);
	}
}
