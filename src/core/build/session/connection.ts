import { CancelledError, errorMessage, InvalidParameterError, SystemError } from "../../../base/errors.ts";
import { encodeFrame, type Frame, FrameDecoder, type FrameKind } from "./frames.ts";
import { decodeFailure, SessionStream } from "./stream.ts";

/** A connection's bytes. */
export interface ByteTransport {
	/** The next bytes; undefined at the end. */
	read(): Promise<Uint8Array | undefined>;
	/** Resolves when they are on their way; waits while the other side is slow. */
	write(bytes: Uint8Array): Promise<void>;
	/** Cuts it. */
	destroy(): void;
}

/** Streams open at once that one side may have opened. */
const MAX_STREAMS = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A build session over one connection: either side opens streams, each with a JSON document that says what it wants. `run` reads until
 * the connection ends; every stream has failed or ended then.
 */
export class SessionConnection {
	readonly #streams = new Map<number, SessionStream>();
	readonly #decoder = new FrameDecoder();
	readonly #link = {
		send: (kind: FrameKind, stream: number, payload: Uint8Array) => this.#send(kind, stream, payload),
		closed: (stream: number) => void this.#streams.delete(stream),
	};
	#nextNumber: number;
	#failure: Error | undefined;

	constructor(
		private readonly transport: ByteTransport,
		private readonly side: "client" | "daemon",
		/** Answers what the other side opens; what it throws resets the stream. */
		private readonly answer: (stream: SessionStream) => Promise<void>,
	) {
		this.#nextNumber = side === "client" ? 1 : 2;
	}

	/** @throws CancelledError when the connection has ended */
	async open(call: unknown): Promise<SessionStream> {
		if (this.#failure !== undefined) throw this.#failure;
		const number = this.#nextNumber;
		this.#nextNumber += 2;
		const stream = new SessionStream(number, call, this.#link);
		this.#streams.set(number, stream);
		await this.#send("open", number, encoder.encode(JSON.stringify(call)));
		return stream;
	}

	/** Resolves when the connection has ended. @throws InvalidParameterError when the other side sends what it must not */
	async run(): Promise<void> {
		let failure: Error = new CancelledError("the build session's connection has ended");
		try {
			for (;;) {
				const piece = await this.transport.read();
				if (piece === undefined) break;
				this.#decoder.push(piece);
				for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.#take(frame);
			}
			if (!this.#decoder.isAtBoundary) failure = new SystemError("the build session's connection broke");
		} catch (error) {
			failure = error instanceof Error ? error : new SystemError(errorMessage(error));
			if (error instanceof InvalidParameterError) throw error;
		} finally {
			this.#end(failure);
		}
	}

	/** Ends the session: all streams fail. */
	close(): void {
		this.#end(new CancelledError("the build session was closed"));
	}

	#end(failure: Error): void {
		this.#failure ??= failure;
		for (const stream of [...this.#streams.values()]) stream.fail(failure);
		this.transport.destroy();
	}

	#take({ kind, stream: number, payload }: Frame): void {
		if (kind === "open") {
			this.#opened(number, payload);
			return;
		}
		const stream = this.#streams.get(number);
		// Frames may cross our own reset of the stream.
		if (stream === undefined) return;
		switch (kind) {
			case "json":
			case "data": {
				const message =
					kind === "data" ? ({ kind, data: payload } as const) : ({ kind, value: parseJson(payload) } as const);
				if (!stream.accept(message, payload.length))
					throw new InvalidParameterError("a build session's stream sent more than there was room for");
				return;
			}
			case "end":
				stream.peerEnded();
				return;
			case "reset":
				stream.fail(decodeFailure(payload));
				return;
			case "window":
				if (payload.length !== 4) throw new InvalidParameterError("malformed frame in a build session");
				stream.grant(Buffer.from(payload).readUInt32BE(0));
		}
	}

	#opened(number: number, payload: Uint8Array): void {
		const isTheirs = number % 2 === (this.side === "client" ? 0 : 1);
		if (!isTheirs || this.#streams.has(number) || this.#streams.size >= MAX_STREAMS)
			throw new InvalidParameterError("unexpected stream in a build session");
		const stream = new SessionStream(number, parseJson(payload), this.#link);
		this.#streams.set(number, stream);
		this.answer(stream).catch((error) => stream.reset(error));
	}

	async #send(kind: FrameKind, stream: number, payload: Uint8Array): Promise<void> {
		if (this.#failure !== undefined) throw this.#failure;
		await this.transport.write(encodeFrame(kind, stream, payload));
	}
}

function parseJson(payload: Uint8Array): unknown {
	try {
		return JSON.parse(decoder.decode(payload));
	} catch (cause) {
		throw new InvalidParameterError("malformed JSON in a build session", { cause });
	}
}
