/** The Engine API on any number of listeners: versions, routing, errors, request log, orderly close. */
import type { Server, Socket } from "node:net";
import { type ApiVersion, atLeast, formatApiVersion, MAX_API_VERSION } from "../api/engine/version.ts";
import { CancelledError, errorKind, errorMessage, InvalidParameterError, NotFoundError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ApiRequest } from "./api-request.ts";
import { Connection, type Exchange } from "./http/connection.ts";
import type { ProtocolError } from "./http/protocol-error.ts";
import type { Reply, ReplyHeaders } from "./http/reply.ts";
import { type ReplyContext, writeReply } from "./http/reply-writer.ts";
import { errorReply, protocolErrorStatus, statusOf } from "./http-errors.ts";
import { Query } from "./query.ts";
import { type Route, type RouteMatch, Router } from "./router.ts";

export interface ApiServerOptions {
	readonly routes: readonly Route[];
	readonly logger: Logger;
	/** `Server` header, e.g. `Docker/0.1.0 (linux)`. */
	readonly serverHeader: string;
	readonly minApiVersion: ApiVersion;
	/** Called after each request. */
	readonly onServed?: () => void;
	/** Added to each reply, e.g. `Docker-Experimental`. */
	readonly headers: ReplyHeaders;
}

const VERSIONED_PATH = /^\/v(\d{1,4})\.(\d{1,4})(\/.*)$/;

export class ApiServer {
	readonly #router: Router;
	readonly #connections = new Set<Connection>();
	readonly #context: ReplyContext;
	readonly #bareContext: ReplyContext;
	#active = 0;
	#whenQuiet: (() => void) | undefined;

	constructor(private readonly options: ApiServerOptions) {
		this.#router = new Router(options.routes);
		const onLateError = (error: unknown) =>
			options.logger.warn("reply was cut off", { error: errorMessage(error), cause: causeText(error) });
		this.#context = {
			commonHeaders: {
				"Api-Version": formatApiVersion(MAX_API_VERSION),
				...options.headers,
				Ostype: "linux",
				Server: options.serverHeader,
			},
			errorReply,
			onLateError,
		};
		// An unknown path is answered without them, by which clients tell that it is not one of this version's.
		this.#bareContext = { commonHeaders: {}, errorReply, onLateError };
	}

	/** Serves the connections of `listener`, made with `allowHalfOpen` (see `listenerOptions`). */
	attach(listener: Server): void {
		listener.on("connection", (socket: Socket) => this.serve(socket));
	}

	/** One connection, a finished TLS handshake included. */
	serve(socket: Socket): void {
		if ("setNoDelay" in socket) socket.setNoDelay(true);
		const connection = new Connection(socket, {
			onExchange: (exchange) => void this.#answer(exchange),
			onProtocolError: (target, error) => this.#refuse(target, error),
			onClose: (closed) => this.#connections.delete(closed),
		});
		this.#connections.add(connection);
	}

	/**
	 * Closes idle connections at once, waits at most `graceMs` for requests in hand, then cuts what is left (streams, sessions).
	 * The listeners are the caller's, to be closed before.
	 */
	async close(graceMs: number): Promise<void> {
		for (const connection of this.#connections) connection.closeGracefully();
		if (this.#active > 0 && graceMs > 0) {
			const { promise, resolve } = Promise.withResolvers<void>();
			this.#whenQuiet = resolve;
			const timer = setTimeout(resolve, graceMs);
			await promise;
			clearTimeout(timer);
		}
		for (const connection of this.#connections) connection.closeAtOnce();
	}

	async #answer(exchange: Exchange): Promise<void> {
		const startedAt = performance.now();
		this.#active++;
		const { method, target } = exchange.head;
		let reply: Reply;
		let context = this.#context;
		try {
			const call = this.#resolve(exchange);
			if (call === undefined) {
				context = this.#bareContext;
				reply = errorReply(new NotFoundError("page not found"));
			} else reply = await call.match.route.handle(call.request);
		} catch (error) {
			this.#logFailure(exchange, error);
			reply = errorReply(error);
			if (errorKind(error) === "cancelled") exchange.abandon();
		}
		if (method !== "GET" && method !== "HEAD")
			this.options.logger.info("request served", {
				method,
				path: target,
				status: "status" in reply ? reply.status : 200,
				durationMs: Math.round((performance.now() - startedAt) * 100) / 100,
			});
		const written = writeReply(exchange, reply, context);
		// Streams and sessions have no end to wait for; everything else is in hand until it is written.
		if (reply.kind === "json" || reply.kind === "text" || reply.kind === "empty") await written;
		this.#active--;
		if (this.#active === 0) this.#whenQuiet?.();
		await written;
		this.options.onServed?.();
	}

	#resolve(exchange: Exchange): { readonly match: RouteMatch; readonly request: ApiRequest } | undefined {
		const { method, target, headers } = exchange.head;
		const question = target.indexOf("?");
		const path = question < 0 ? target : target.slice(0, question);
		const versioned = VERSIONED_PATH.exec(path);
		const match = this.#router.find(method, versioned?.[3] ?? path);
		if (match === undefined) return undefined;
		const version = versioned === null ? MAX_API_VERSION : { major: Number(versioned[1]), minor: Number(versioned[2]) };
		this.#checkVersion(version);
		const request: ApiRequest = {
			method,
			headers,
			parameters: match.parameters,
			query: new Query(question < 0 ? "" : target.slice(question + 1)),
			version,
			isVersioned: versioned !== null,
			body: exchange.body,
			get signal() {
				return exchange.signal;
			},
		};
		return { match, request };
	}

	#checkVersion(version: ApiVersion): void {
		const text = formatApiVersion(version);
		const { minApiVersion } = this.options;
		if (atLeast(version, MAX_API_VERSION.minor + 1) || version.major > MAX_API_VERSION.major)
			throw new InvalidParameterError(
				`client version ${text} is too new. Maximum supported API version is ${formatApiVersion(MAX_API_VERSION)}`,
			);
		if (!atLeast(version, minApiVersion.minor))
			throw new InvalidParameterError(
				`client version ${text} is too old. Minimum supported API version is ${formatApiVersion(minApiVersion)}, please upgrade your client to a newer version`,
			);
	}

	#logFailure(exchange: Exchange, error: unknown): void {
		const { method, target } = exchange.head;
		const status = statusOf(error);
		const fields = { method, path: target, status, error: errorMessage(error) };
		if (error instanceof CancelledError || status === 499) this.options.logger.debug("client went away", fields);
		else if (status >= 500 && status !== 501 && status !== 503)
			this.options.logger.error("request failed", { ...fields, cause: causeText(error) });
		else this.options.logger.debug("request refused", fields);
	}

	#refuse(socket: Socket, error: ProtocolError): void {
		const body = `${JSON.stringify({ message: error.message })}\n`;
		socket.write(
			`HTTP/1.1 ${protocolErrorStatus(error)} ${error.fault}\r\nContent-Type: application/json\r\n` +
				`Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
		);
	}
}

/** The chain of causes, and the stack where a bug shows. */
function causeText(error: unknown): string | undefined {
	if (!(error instanceof Error)) return undefined;
	const causes: string[] = [];
	for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined)
		causes.push(errorMessage(cause));
	if (!("kind" in error) && error.stack !== undefined) causes.push(error.stack);
	return causes.length === 0 ? undefined : causes.join(": ");
}
