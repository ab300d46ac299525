/** Messages on a TCP connection, each with its length before it (RFC 1035 4.2.2). */
import type { Socket } from "bun";

/** Replies that a client does not fetch; it is dropped then. */
const MAX_PENDING_BYTES = 256 * 1024;

export class TcpConnection {
	#received: Buffer = Buffer.alloc(0);
	#pending: Buffer = Buffer.alloc(0);

	/** @param onMessage called for each message; the buffer is its own */
	constructor(private readonly onMessage: (message: Buffer) => void) {}

	receive(data: Buffer): void {
		this.#received = Buffer.concat([this.#received, data]);
		for (;;) {
			if (this.#received.length < 2) return;
			const end = 2 + this.#received.readUInt16BE(0);
			if (this.#received.length < end) return;
			const message = Buffer.from(this.#received.subarray(2, end));
			this.#received = this.#received.subarray(end);
			this.onMessage(message);
		}
	}

	send<T>(socket: Socket<T>, message: Buffer): void {
		const framed = Buffer.alloc(message.length + 2);
		framed.writeUInt16BE(message.length, 0);
		message.copy(framed, 2);
		this.#pending = Buffer.concat([this.#pending, framed]);
		if (this.#pending.length > MAX_PENDING_BYTES) socket.terminate();
		else this.flush(socket);
	}

	flush<T>(socket: Socket<T>): void {
		if (this.#pending.length === 0) return;
		const written = socket.write(this.#pending);
		if (written > 0) this.#pending = this.#pending.subarray(written);
	}
}
