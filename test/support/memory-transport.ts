/** The two ends of a build session's connection without a network. */
import type { ByteTransport } from "../../src/core/build/session/connection.ts";

export class MemoryTransport implements ByteTransport {
	/** Set by `memoryTransports`. */
	peer: MemoryTransport | undefined;
	receivedBytes = 0;
	readonly #queue: Uint8Array[] = [];
	#isEnded = false;
	#wake = () => {};

	async read(): Promise<Uint8Array | undefined> {
		for (;;) {
			const piece = this.#queue.shift();
			if (piece !== undefined) return piece;
			if (this.#isEnded) return undefined;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	async write(bytes: Uint8Array): Promise<void> {
		this.peer?.deliver(bytes);
		// As over a socket, nobody hears of it in the same turn.
		await new Promise((resolve) => setImmediate(resolve));
	}

	destroy(): void {
		this.end();
		this.peer?.end();
	}

	deliver(bytes: Uint8Array): void {
		this.receivedBytes += bytes.length;
		this.#queue.push(bytes);
		this.#wake();
	}

	end(): void {
		this.#isEnded = true;
		this.#wake();
	}
}

export function memoryTransports(): [MemoryTransport, MemoryTransport] {
	const [a, b] = [new MemoryTransport(), new MemoryTransport()];
	a.peer = b;
	b.peer = a;
	return [a, b];
}
