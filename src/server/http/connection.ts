/**
 * One client connection: reads requests one after another, hands each to the server's handler and keeps the bytes of
 * pipelined ones back until it is done. Written for this API because any request on any connection may be taken over
 * (attach, exec), which a stock HTTP server allows for the first at best.
 */
import type { Socket } from "node:net";
import { CancelledError } from "../../base/errors.ts";
import { type BodyDecoder, ChunkedDecoder, FixedLengthDecoder } from "./body-decoder.ts";
import { ProtocolError } from "./protocol-error.ts";
import { RequestBody } from "./request-body.ts";
import { bodyLength, findHeadEnd, isKeepAlive, parseRequestHead, type RequestHead } from "./request-head.ts";

/** Pipelined bytes that are kept while a request is served. */
const MAX_PENDING_BYTES = 256 * 1024;
/** How long a started head may take (dockerd's limit, too). */
const HEAD_TIMEOUT_MS = 5 * 60_000;
/** How long the rest of a refused upload is read and dropped, so that the client gets to read the answer. */
const LINGER_MS = 1000;

const EMPTY = Buffer.alloc(0);

/** One request and the right to answer it. Exactly one of `finish`, `hijack` or `abandon` ends it. */
export interface Exchange {
	readonly head: RequestHead;
	readonly body: RequestBody;
	readonly socket: Socket;
	/** Aborted when the client goes away. */
	readonly signal: AbortSignal;
	/** Whether the connection may serve another request after this one. */
	readonly keepAlive: boolean;
	/** The answer is written; `close` when its end is the connection's end. */
	finish(close: boolean): void;
	/** Takes the socket over; what the client sent after the request is put back into it. */
	hijack(): Socket;
	/** Cuts the connection. */
	abandon(): void;
}

export type ExchangeHandler = (exchange: Exchange) => void;

export interface ConnectionOptions {
	readonly onExchange: ExchangeHandler;
	/** Answers bytes that are no request; the connection closes afterwards. */
	readonly onProtocolError: (socket: Socket, error: ProtocolError) => void;
	readonly onClose: (connection: Connection) => void;
}

export class Connection {
	#pending: Buffer = EMPTY;
	#searchedBytes = 0;
	#decoder: BodyDecoder | undefined;
	#body: RequestBody | undefined;
	#abort: AbortController | undefined;
	#state: "idle" | "busy" | "draining" | "hijacked" | "closed" = "idle";
	#inputEnded = false;
	#closeWhenIdle = false;
	#expectsContinue = false;
	#timer: NodeJS.Timeout | undefined;
	readonly #onData = (chunk: Buffer) => this.#guard(() => this.#receive(chunk));
	readonly #onEnd = () => this.#guard(() => this.#ended());

	constructor(
		readonly socket: Socket,
		private readonly options: ConnectionOptions,
	) {
		socket.on("data", this.#onData);
		socket.on("end", this.#onEnd);
		// An error is always followed by `close`; nothing can be told to a peer that is gone.
		socket.on("error", () => {});
		socket.on("close", () => this.#closed());
	}

	get isIdle(): boolean {
		return this.#state === "idle";
	}

	/** Lets the request in hand finish, then closes. */
	closeGracefully(): void {
		this.#closeWhenIdle = true;
		if (this.#state === "idle") this.destroy();
	}

	/** Cuts off what has no end of its own; an answer that is on its way out still arrives at a client that takes it soon. */
	closeAtOnce(): void {
		if (this.#state === "draining") this.#destroySoon();
		else this.destroy();
	}

	destroy(): void {
		this.socket.destroy();
	}

	#guard(step: () => void): void {
		try {
			step();
		} catch (error) {
			if (!(error instanceof ProtocolError)) throw error;
			const answerable = this.#state === "idle";
			this.#state = "draining";
			this.#body?.fail();
			if (answerable) this.options.onProtocolError(this.socket, error);
			this.#linger();
		}
	}

	#receive(chunk: Buffer): void {
		if (this.#state === "draining" || this.#state === "closed") return;
		let rest = chunk;
		if (this.#decoder !== undefined) rest = this.#feedBody(chunk);
		if (rest.length > 0) this.#pending = this.#pending.length === 0 ? rest : Buffer.concat([this.#pending, rest]);
		if (this.#state === "idle") this.#next();
		else if (this.#pending.length > MAX_PENDING_BYTES) this.socket.pause();
	}

	#feedBody(chunk: Buffer): Buffer {
		const decoder = this.#decoder;
		const body = this.#body;
		if (decoder === undefined || body === undefined) return chunk;
		const used = decoder.decode(chunk, (part) => body.accept(part));
		if (decoder.finished) {
			this.#decoder = undefined;
			// Back to watching for the client's leaving, even where the body's reader had us pause.
			this.socket.resume();
			body.finish();
		}
		return used === chunk.length ? EMPTY : chunk.subarray(used);
	}

	/** Starts on the next request when its head is there. */
	#next(): void {
		// Some clients end a body with an extra empty line (RFC 9112, section 2.2).
		while (this.#pending[0] === 0x0d && this.#pending[1] === 0x0a) this.#pending = this.#pending.subarray(2);
		const end = findHeadEnd(this.#pending, Math.max(0, this.#searchedBytes - 3));
		if (end === undefined) {
			this.#searchedBytes = this.#pending.length;
			if (this.#inputEnded) this.socket.end();
			else if (this.#pending.length > 0 && this.#timer === undefined)
				this.#timer = setTimeout(() => this.destroy(), HEAD_TIMEOUT_MS);
			return;
		}
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const head = parseRequestHead(this.#pending.subarray(0, end));
		const rest = this.#pending.subarray(end);
		this.#pending = EMPTY;
		this.#searchedBytes = 0;
		this.#begin(head, rest);
	}

	#begin(head: RequestHead, rest: Buffer): void {
		const length = bodyLength(head);
		this.#decoder =
			length.kind === "none"
				? undefined
				: length.kind === "chunked"
					? new ChunkedDecoder()
					: new FixedLengthDecoder(length.sizeBytes);
		this.#expectsContinue = head.httpMinor === 1 && head.headers.get("expect")?.toLowerCase() === "100-continue";
		const body = new RequestBody(this.#decoder !== undefined, {
			resume: () => this.socket.resume(),
			pause: () => {
				if (this.#decoder !== undefined) this.socket.pause();
			},
			wanted: () => this.#sendContinue(),
		});
		this.#body = body;
		this.#abort = undefined;
		this.#state = "busy";
		if (rest.length > 0) this.#pending = this.#feedBody(rest);
		if (this.#inputEnded && this.#decoder !== undefined) body.fail();
		this.options.onExchange(this.#exchange(head, body));
	}

	#exchange(head: RequestHead, body: RequestBody): Exchange {
		const connection = this;
		return {
			head,
			body,
			socket: this.socket,
			get signal() {
				return connection.#signal();
			},
			get keepAlive() {
				return !connection.#closeWhenIdle && !connection.#inputEnded && isKeepAlive(head);
			},
			finish: (close) => this.#finish(close),
			hijack: () => this.#hijack(),
			abandon: () => this.destroy(),
		};
	}

	#signal(): AbortSignal {
		if (this.#abort === undefined) {
			this.#abort = new AbortController();
			if (this.#state === "closed" || this.#inputEnded) this.#abort.abort(new CancelledError());
		}
		return this.#abort.signal;
	}

	#sendContinue(): void {
		if (!this.#expectsContinue) return;
		this.#expectsContinue = false;
		this.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
	}

	#finish(close: boolean): void {
		if (this.#state !== "busy") return;
		if (this.#decoder !== undefined) {
			// The rest of the upload is of no interest, and too much to read it only to keep the connection.
			this.#state = "draining";
			this.#linger();
			return;
		}
		if (close || this.#closeWhenIdle) {
			this.#state = "draining";
			this.#linger();
			return;
		}
		this.#state = "idle";
		this.#body = undefined;
		this.#abort = undefined;
		if (this.socket.isPaused()) this.socket.resume();
		// The handler may have answered in the same turn that parsed it: no recursion over pipelined requests.
		if (this.#pending.length > 0 || this.#inputEnded)
			queueMicrotask(() => {
				if (this.#state === "idle") this.#guard(() => this.#next());
			});
	}

	/** Ends our side; from when the answer is out, drops what still comes in for a while. */
	#linger(): void {
		this.#decoder = undefined;
		this.socket.end(() => this.#destroySoon());
		this.socket.resume();
	}

	#destroySoon(): void {
		if (this.#state === "closed") return;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.destroy(), LINGER_MS);
	}

	#hijack(): Socket {
		this.#state = "hijacked";
		this.socket.pause();
		this.socket.off("data", this.#onData);
		this.socket.off("end", this.#onEnd);
		if (this.#pending.length > 0) this.socket.unshift(this.#pending);
		this.#pending = EMPTY;
		return this.socket;
	}

	/** The client will send nothing more. What it waits for is still answered, unless that is a stream without end. */
	#ended(): void {
		this.#inputEnded = true;
		if (this.#state === "idle") this.#next();
		else if (this.#state === "draining") this.socket.end();
		else {
			if (this.#decoder !== undefined) this.#body?.fail();
			this.#abort?.abort(new CancelledError());
		}
	}

	#closed(): void {
		this.#state = "closed";
		clearTimeout(this.#timer);
		this.#body?.fail();
		this.#abort?.abort(new CancelledError());
		this.options.onClose(this);
	}
}
