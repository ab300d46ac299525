/** gRPC over connections that were HTTP/1.1 before: an upgrade to `h2c`. */
import {
	constants,
	createServer,
	type Http2Server,
	type IncomingHttpHeaders,
	type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import { CancelledError, NotImplementedError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { ReceivedMessages, sendMessage } from "./message-stream.ts";
import { RPC_OK, type RpcStatus, statusOf, statusTrailers } from "./rpc-error.ts";

/** One call, as its method sees it. */
export interface RpcCall {
	/** Headers, lower-case. */
	readonly metadata: ReadonlyMap<string, string>;
	/** Aborted when the client has cancelled the call, or has gone. */
	readonly signal: AbortSignal;
	readonly requests: AsyncIterable<Uint8Array>;
	/** Waits while the client is slow. @throws CancelledError when it has gone */
	reply(message: Uint8Array): Promise<void>;
}

/** What it throws is the call's status. */
export type RpcMethod = (call: RpcCall) => Promise<void>;

export interface RpcServerOptions {
	/** By `/package.Service/Method`. */
	readonly methods: ReadonlyMap<string, RpcMethod>;
	readonly logger: Logger;
	/** With what only this API's clients know. */
	readonly toStatus?: (error: unknown) => RpcStatus;
}

/** What a client may send on a stream before we have taken it. */
const WINDOW_BYTES = 1 << 20;
/** Calls of one connection at a time. */
const MAX_CALLS = 250;

export class RpcServer {
	readonly #options: RpcServerOptions;
	readonly #http2: Http2Server;

	constructor(options: RpcServerOptions) {
		this.#options = options;
		this.#http2 = createServer({ settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MAX_CALLS } });
		this.#http2.on("stream", (stream, headers) => void this.#serve(stream as ServerHttp2Stream, headers));
		this.#http2.on("sessionError", (error: Error) =>
			options.logger.debug("gRPC connection failed", { error: error.message }),
		);
	}

	/** Serves a connection until it ends. */
	take(connection: Duplex): void {
		this.#http2.emit("connection", connection);
	}

	async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
		const aborted = new AbortController();
		stream.on("error", () => {});
		stream.once("close", () => aborted.abort(new CancelledError("canceled")));
		stream.once("aborted", () => aborted.abort(new CancelledError("canceled")));
		const path = String(headers[constants.HTTP2_HEADER_PATH] ?? "");
		let hasHead = false;
		const head = () => {
			if (hasHead || stream.destroyed) return;
			hasHead = true;
			stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
		};
		const call: RpcCall = {
			metadata: new Map(Object.entries(headers).map(([name, value]) => [name, String(value)])),
			signal: aborted.signal,
			requests: new ReceivedMessages(stream),
			reply: async (message) => {
				head();
				await sendMessage(stream, message);
			},
		};
		const status = await this.#run(path, call);
		if (stream.destroyed) return;
		stream.once("wantTrailers", () => {
			if (!stream.destroyed && !stream.closed) stream.sendTrailers(statusTrailers(status));
		});
		head();
		stream.end();
		// What the client still sends has no receiver.
		stream.resume();
	}

	async #run(path: string, call: RpcCall): Promise<RpcStatus> {
		const { methods, logger, toStatus = statusOf } = this.#options;
		try {
			const method = methods.get(path);
			if (method === undefined) {
				const [, service = "", name = ""] = path.split("/");
				const isKnown = [...methods.keys()].some((known) => known.startsWith(`/${service}/`));
				throw new NotImplementedError(
					isKnown ? `unknown method ${name} for service ${service}` : `unknown service ${service}`,
				);
			}
			await method(call);
			return { code: RPC_OK, message: "", details: [] };
		} catch (error) {
			const status = toStatus(error);
			logger.debug("gRPC call failed", { path, code: status.code, error: status.message });
			return status;
		}
	}
}
