import { CancelledError, EngineError, type ErrorKind, errorKind, errorMessage } from "../../../base/errors.ts";
import type { FrameKind } from "./frames.ts";

/** What a receiver takes before it has read any of it; per stream and direction. */
export const WINDOW_BYTES = 1024 * 1024;
/** Data is sent in pieces of at most this size, so that streams take turns. */
export const DATA_PIECE_BYTES = 128 * 1024;

export type StreamMessage =
	| { readonly kind: "json"; readonly value: unknown }
	| { readonly kind: "data"; readonly data: Uint8Array };

/** How a stream reaches its connection. */
export interface StreamLink {
	send(kind: FrameKind, stream: number, payload: Uint8Array): Promise<void>;
	/** Both directions have ended. */
	closed(stream: number): void;
}

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/**
 * One conversation of a session: messages both ways in order, each direction with an end of its own. Nobody sends more than the
 * receiver has room for, so that a slow reader slows its writer down and costs a window's worth of memory.
 */
export class SessionStream {
	readonly #received: StreamMessage[] = [];
	readonly #sizes: number[] = [];
	#roomBytes = WINDOW_BYTES;
	#unreadBytes = 0;
	#consumedBytes = 0;
	#wakeReader = () => {};
	#wakeWriters: (() => void)[] = [];
	#isPeerDone = false;
	#isDone = false;
	#failure: Error | undefined;
	readonly #abort = new AbortController();

	constructor(
		readonly number: number,
		/** What it was opened with. */
		readonly call: unknown,
		private readonly link: StreamLink,
	) {}

	/** Aborted when the other side resets the stream or the connection ends. */
	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	/** Resolves when there is room for more. @throws the stream's failure */
	async ready(): Promise<void> {
		while (this.#failure === undefined && this.#roomBytes <= 0)
			await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
		if (this.#failure !== undefined) throw this.#failure;
	}

	/** Whether a message can be sent without waiting. */
	get hasRoom(): boolean {
		return this.#roomBytes > 0 && this.#failure === undefined;
	}

	async send(value: unknown): Promise<void> {
		await this.#put("json", encoder.encode(JSON.stringify(value)));
	}

	async write(data: Uint8Array): Promise<void> {
		for (let at = 0; at < data.length; at += DATA_PIECE_BYTES)
			await this.#put("data", data.subarray(at, at + DATA_PIECE_BYTES));
	}

	/** The next message; undefined when the other side has ended. @throws what it was reset with, CancelledError when the connection broke */
	async read(): Promise<StreamMessage | undefined> {
		for (;;) {
			const message = this.#received.shift();
			if (message !== undefined) {
				this.#consumed(this.#sizes.shift() ?? 0);
				return message;
			}
			if (this.#failure !== undefined) throw this.#failure;
			if (this.#isPeerDone) return undefined;
			await new Promise<void>((resolve) => {
				this.#wakeReader = resolve;
			});
		}
	}

	/** The JSON that must come next. @throws EngineError when something else does */
	async readJson(): Promise<unknown> {
		const message = await this.read();
		if (message?.kind !== "json") throw new EngineError("system", "unexpected end of a build session's answer");
		return message.value;
	}

	/** Bytes up to the other side's end. */
	async *data(): AsyncGenerator<Uint8Array> {
		for (;;) {
			const message = await this.read();
			if (message === undefined) return;
			if (message.kind !== "data") throw new EngineError("system", "unexpected message in a build session");
			yield message.data;
		}
	}

	/** Nothing more will be sent. */
	async end(): Promise<void> {
		if (this.#isDone || this.#failure !== undefined) return;
		this.#isDone = true;
		await this.link.send("end", this.number, EMPTY);
		this.#settle();
	}

	/** Ends both directions at once with an error for the other side. Never throws. */
	reset(error: unknown = new CancelledError()): void {
		if (this.#failure !== undefined || (this.#isDone && this.#isPeerDone)) return;
		const body = JSON.stringify({ kind: errorKind(error), message: errorMessage(error) });
		this.link.send("reset", this.number, encoder.encode(body)).catch(() => {}); // a broken connection has told it already
		this.fail(error instanceof Error ? error : new CancelledError());
	}

	/** The connection's side: a message has come. @returns false when there was no room for it */
	accept(message: StreamMessage, sizeBytes: number): boolean {
		if (this.#failure !== undefined) return true;
		// As the sender counts: with any room at all it may send one more message, which may be larger than the room.
		if (this.#isPeerDone || this.#unreadBytes + this.#consumedBytes >= WINDOW_BYTES) return false;
		this.#unreadBytes += sizeBytes;
		this.#received.push(message);
		this.#sizes.push(sizeBytes);
		this.#wakeReader();
		return true;
	}

	/** The connection's side: the other side has more room. */
	grant(bytes: number): void {
		this.#roomBytes += bytes;
		this.#wakeAllWriters();
	}

	/** The connection's side: the other side will send nothing more. */
	peerEnded(): void {
		this.#isPeerDone = true;
		this.#wakeReader();
		this.#settle();
	}

	/** The connection's side: it was reset, or the connection broke. What has been received is still read. */
	fail(error: Error): void {
		if (this.#failure !== undefined || (this.#isDone && this.#isPeerDone)) return;
		this.#failure = error;
		this.#abort.abort(error);
		this.#wakeReader();
		this.#wakeAllWriters();
		this.link.closed(this.number);
	}

	async #put(kind: "json" | "data", payload: Uint8Array): Promise<void> {
		await this.ready();
		if (this.#isDone) throw new EngineError("system", "write after the end of a build session's stream");
		this.#roomBytes -= payload.length;
		await this.link.send(kind, this.number, payload);
	}

	#consumed(bytes: number): void {
		this.#unreadBytes -= bytes;
		this.#consumedBytes += bytes;
		if (this.#consumedBytes < WINDOW_BYTES / 4 || this.#isPeerDone || this.#failure !== undefined) return;
		const grant = new Uint8Array(4);
		new DataView(grant.buffer).setUint32(0, this.#consumedBytes);
		this.#consumedBytes = 0;
		this.link.send("window", this.number, grant).catch(() => {}); // a broken connection is seen by the next read
	}

	#wakeAllWriters(): void {
		for (const wake of this.#wakeWriters.splice(0)) wake();
	}

	#settle(): void {
		if (this.#isDone && this.#isPeerDone) this.link.closed(this.number);
	}
}

const KINDS: ReadonlySet<string> = new Set<ErrorKind>([
	"invalid-parameter",
	"unauthorized",
	"forbidden",
	"not-found",
	"conflict",
	"not-modified",
	"not-implemented",
	"unavailable",
	"system",
	"cancelled",
]);

/** The error that a `reset` frame carries. */
export function decodeFailure(payload: Uint8Array): EngineError {
	try {
		const body: unknown = JSON.parse(new TextDecoder().decode(payload));
		if (typeof body === "object" && body !== null && "message" in body && "kind" in body)
			return new EngineError(KINDS.has(String(body.kind)) ? (body.kind as ErrorKind) : "system", String(body.message));
	} catch {
		// What cannot be read is still an end.
	}
	return new CancelledError("the other side gave up");
}
