/** Calls to a client's session: the daemon is the client of HTTP/2 on a connection that the other side has opened. */
import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
	constants,
	type IncomingHttpHeaders,
} from "node:http2";
import type { Duplex } from "node:stream";
import { CancelledError, type EngineError } from "../../base/errors.ts";
import type { SessionCall, SessionCaller } from "../../core/build/buildkit/session-caller.ts";
import { ReceivedMessages, sendMessage } from "./message-stream.ts";
import { asError, decodeMessage } from "./rpc-error.ts";

/** What the other side may send on a call before we have taken it. (After `setLocalWindowSize`, Bun 1.4 gives streams no room any more.) */
const WINDOW_BYTES = 1 << 20;

export interface SessionHead {
	readonly sharedKey: string;
	/** Undefined when the client did not say. */
	readonly methods: ReadonlySet<string> | undefined;
}

export class RpcClient implements SessionCaller {
	readonly sharedKey: string;
	readonly #methods: ReadonlySet<string> | undefined;
	readonly #http2: ClientHttp2Session;
	readonly #closed = new AbortController();

	/** @param connection the client has opened it; it is ours from now on */
	constructor(connection: Duplex, { sharedKey, methods }: SessionHead) {
		this.sharedKey = sharedKey;
		this.#methods = methods;
		this.#http2 = connect("http://session", {
			createConnection: () => connection,
			settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
		});
		// A connection that fails also closes.
		this.#http2.on("error", () => {});
		const close = () => {
			if (!this.signal.aborted) this.#closed.abort(new CancelledError("the client's session has ended"));
			this.#http2.destroy();
		};
		this.#http2.once("close", close);
		connection.once("close", close);
	}

	get signal(): AbortSignal {
		return this.#closed.signal;
	}

	offers(method: string): boolean {
		return this.#methods?.has(method.toLowerCase()) ?? true;
	}

	call(method: string, metadata: Readonly<Record<string, string | readonly string[]>>): SessionCall {
		this.signal.throwIfAborted();
		if (this.#http2.destroyed || this.#http2.closed) throw new CancelledError("the client's session has ended");
		const stream = this.#http2.request({
			[constants.HTTP2_HEADER_METHOD]: "POST",
			[constants.HTTP2_HEADER_PATH]: method,
			[constants.HTTP2_HEADER_AUTHORITY]: "session",
			"content-type": "application/grpc",
			te: "trailers",
			...metadata,
		} as Record<string, string | string[]>);
		return new ClientCall(stream);
	}

	close(): void {
		this.#http2.destroy();
	}
}

class ClientCall implements SessionCall {
	readonly #received: ReceivedMessages;
	#failure: EngineError | undefined;

	constructor(private readonly stream: ClientHttp2Stream) {
		this.#received = new ReceivedMessages(stream);
		const take = (headers: IncomingHttpHeaders) => {
			const status = headers["grpc-status"];
			if (status === undefined) return;
			if (status !== "0") this.#failure = asError(Number(status), decodeMessage(String(headers["grpc-message"] ?? "")));
			this.#received.finish(this.#failure);
		};
		stream.once("response", take);
		stream.once("trailers", take);
	}

	get messages(): AsyncIterable<Uint8Array> {
		return this.#received;
	}

	async send(message: Uint8Array): Promise<void> {
		try {
			await sendMessage(this.stream, message);
		} catch (error) {
			// What it says in its trailers tells more than that it has ended.
			throw this.#failure ?? error;
		}
	}

	end(): void {
		if (!this.stream.destroyed && !this.stream.writableEnded) this.stream.end();
	}

	cancel(): void {
		if (!this.stream.destroyed) this.stream.close(constants.NGHTTP2_CANCEL);
	}
}
