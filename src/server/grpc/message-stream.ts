/** Messages over one stream of HTTP/2, either side's. */
import { once } from "node:events";
import type { Http2Stream } from "node:http2";
import { CancelledError, type EngineError } from "../../base/errors.ts";
import { frameMessage, MessageDecoder } from "./message-frames.ts";

/** Bytes of messages that may wait for who takes them; then the stream is not read. */
const WAITING_BYTES = 256 * 1024;

/**
 * Messages that come, up to the other side's end. Taken from the stream at once as they come: a server that has said all it had to may reset the
 * stream right behind it (RFC 9113, section 8.1), and what the stream holds then is lost.
 */
export class ReceivedMessages implements AsyncIterable<Uint8Array> {
	readonly #decoder = new MessageDecoder();
	readonly #messages: Uint8Array[] = [];
	#waitingBytes = 0;
	#isOver = false;
	#failure: unknown;
	#wake = () => {};

	constructor(private readonly stream: Http2Stream) {
		stream.on("data", (piece: Buffer) => this.#take(piece));
		stream.once("end", () => this.#end());
		stream.once("close", () => this.#end(new CancelledError("the other side has gone")));
		// An error is followed by the close.
		stream.on("error", () => {});
	}

	/** The other side has told that it ends, however its stream ends. @param failure what it has failed with */
	finish(failure: EngineError | undefined): void {
		for (let piece = this.stream.read(); piece !== null; piece = this.stream.read()) this.#take(piece);
		this.#end(failure);
	}

	/** @throws what the other side has failed with, CancelledError when it is cut, and InvalidParameterError for what is no message */
	async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
		for (;;) {
			const message = this.#messages.shift();
			if (message !== undefined) {
				this.#waitingBytes -= message.length;
				if (this.#waitingBytes < WAITING_BYTES && this.stream.isPaused()) this.stream.resume();
				yield message;
				continue;
			}
			if (this.#isOver) break;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
		if (this.#failure !== undefined) throw this.#failure;
		this.#decoder.finish();
	}

	#take(piece: Buffer): void {
		if (this.#isOver) return;
		try {
			this.#decoder.push(piece);
			for (let message = this.#decoder.next(); message !== undefined; message = this.#decoder.next()) {
				this.#messages.push(message);
				this.#waitingBytes += message.length;
			}
		} catch (error) {
			this.#end(error);
			return;
		}
		if (this.#waitingBytes >= WAITING_BYTES) this.stream.pause();
		this.#wake();
	}

	#end(failure?: unknown): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#failure = failure;
		this.#wake();
	}
}

/** Waits while the other side is slow. @throws CancelledError when it has gone */
export async function sendMessage(stream: Http2Stream, message: Uint8Array): Promise<void> {
	if (stream.destroyed || stream.writableEnded) throw new CancelledError("the other side has gone");
	if (stream.write(frameMessage(message))) return;
	const closed = new AbortController();
	const onClose = () => closed.abort();
	stream.once("close", onClose);
	try {
		await once(stream, "drain", { signal: closed.signal });
	} catch (cause) {
		throw new CancelledError("the other side has gone", { cause });
	} finally {
		stream.off("close", onClose);
	}
}
