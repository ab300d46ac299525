import { errorMessage, SystemError } from "../base/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** Bytes waiting to be read before the socket is paused: large enough for full speed, small enough to stay unnoticed. */
const HIGH_WATER_BYTES = 1024 * 1024;
const EMPTY = new Uint8Array(0);

/**
 * One byte stream to a daemon, read by pulling and written with back-pressure. It is built on Bun's own sockets because
 * loading `node:net` or `node:http` costs a command 10 to 20 ms, several times what the command itself takes.
 */
export class SocketChannel {
	#socket: Bun.Socket<undefined> | undefined;
	#chunks: Uint8Array[] = [];
	#queuedBytes = 0;
	#isPaused = false;
	#isEnded = false;
	#error: Error | undefined;
	#wakeReader: (() => void) | undefined;
	#drained: PromiseWithResolvers<void> | undefined;
	#writing: Promise<void> = Promise.resolve();

	/** @throws the connection error of the system (`code` ENOENT, ECONNREFUSED, EACCES, …) */
	static async open(endpoint: Endpoint): Promise<SocketChannel> {
		const channel = new SocketChannel();
		await channel.#connect(endpoint);
		return channel;
	}

	get isOpen(): boolean {
		return this.#socket !== undefined && !this.#isEnded && this.#error === undefined;
	}

	/** Gives bytes back, to be read again first. */
	unread(bytes: Uint8Array): void {
		if (bytes.length === 0) return;
		this.#chunks.unshift(bytes);
		this.#queuedBytes += bytes.length;
	}

	/** The next bytes, never empty; undefined at the end of the stream. @throws SystemError when the connection broke */
	async read(): Promise<Uint8Array | undefined> {
		for (;;) {
			const chunk = this.#chunks.shift();
			if (chunk !== undefined) {
				this.#queuedBytes -= chunk.length;
				if (this.#isPaused && this.#queuedBytes < HIGH_WATER_BYTES / 2) {
					this.#isPaused = false;
					this.#socket?.resume();
				}
				return chunk;
			}
			if (this.#error !== undefined) throw this.#error;
			if (this.#isEnded) return undefined;
			await new Promise<void>((resolve) => {
				this.#wakeReader = resolve;
			});
		}
	}

	/** Resolves when the kernel has taken all of it. Writes keep their order. */
	write(bytes: Uint8Array | string): Promise<void> {
		const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
		const written = this.#writing.then(() => this.#writeAll(data));
		// The caller sees the error; the chain itself must not stay rejected without a listener.
		this.#writing = written.catch(() => {});
		return written;
	}

	/** Half-close: the peer reads end of file, and may go on sending. */
	async closeWrite(): Promise<void> {
		await this.#writing;
		this.#socket?.shutdown();
	}

	destroy(): void {
		this.#isEnded = true;
		this.#chunks = [];
		this.#queuedBytes = 0;
		this.#socket?.terminate();
		this.#wake();
	}

	async #connect(endpoint: Endpoint): Promise<void> {
		const socket = this.#handlers();
		if (endpoint.kind === "unix") {
			this.#socket = await Bun.connect({ unix: endpoint.path, allowHalfOpen: true, socket });
			return;
		}
		const { hostname, port, tls } = endpoint;
		if (tls === undefined) {
			this.#socket = await Bun.connect({ hostname, port, allowHalfOpen: true, socket });
			return;
		}
		const handshake = Promise.withResolvers<void>();
		this.#socket = await Bun.connect({
			hostname,
			port,
			tls: {
				rejectUnauthorized: tls.verify,
				serverName: hostname,
				...(tls.ca === undefined ? {} : { ca: tls.ca }),
				...(tls.cert === undefined ? {} : { cert: tls.cert }),
				...(tls.key === undefined ? {} : { key: tls.key }),
			},
			socket: {
				...socket,
				handshake(_socket, success, error) {
					if (success && (error === null || !tls.verify)) handshake.resolve();
					else handshake.reject(error ?? new SystemError("TLS handshake failed"));
				},
				close: (closed, error) => {
					handshake.reject(error ?? new SystemError("connection closed during the TLS handshake"));
					socket.close(closed, error);
				},
			},
		});
		await handshake.promise;
	}

	#handlers() {
		return {
			data: (socket: Bun.Socket<undefined>, chunk: Uint8Array) => {
				this.#chunks.push(chunk);
				this.#queuedBytes += chunk.length;
				if (this.#queuedBytes > HIGH_WATER_BYTES && !this.#isPaused) {
					this.#isPaused = true;
					socket.pause();
				}
				this.#wake();
			},
			drain: () => {
				this.#drained?.resolve();
			},
			end: () => {
				this.#isEnded = true;
				this.#wake();
			},
			close: (_socket: Bun.Socket<undefined>, error?: Error | null) => {
				if (error) this.#fail(error);
				this.#isEnded = true;
				this.#socket = undefined;
				this.#drained?.reject(this.#error ?? new SystemError("write on a closed connection"));
				this.#wake();
			},
			error: (_socket: Bun.Socket<undefined>, error: Error) => this.#fail(error),
		};
	}

	#fail(error: Error): void {
		this.#error ??= new SystemError(`connection to the daemon broke: ${errorMessage(error)}`, { cause: error });
		this.#wake();
	}

	#wake(): void {
		const wake = this.#wakeReader;
		this.#wakeReader = undefined;
		wake?.();
	}

	async #writeAll(data: Uint8Array): Promise<void> {
		let rest = data;
		while (rest.length > 0) {
			if (this.#error !== undefined) throw this.#error;
			const socket = this.#socket;
			if (socket === undefined) throw new SystemError("write on a closed connection");
			// A short write is followed by exactly one drain event, which may only be listened for before the write.
			const drained = Promise.withResolvers<void>();
			this.#drained = drained;
			const count = socket.write(rest);
			if (count < 0) throw this.#error ?? new SystemError("write on a closed connection");
			rest = count === rest.length ? EMPTY : rest.subarray(count);
			if (rest.length > 0) await drained.promise;
			// Nobody waits for a drain that is not needed; its late rejection is no error.
			else drained.promise.catch(() => {});
			this.#drained = undefined;
		}
	}
}
