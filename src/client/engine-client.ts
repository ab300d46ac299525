import { errnoCode, InvalidParameterError } from "../base/errors.ts";
import { ApiError, ConnectionError } from "./api-error.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { exchange, type HttpResponse } from "./http-connection.ts";
import { SocketChannel } from "./socket-channel.ts";

/** The version this client is written for. An older daemon says so, and its newest version is spoken from then on. */
export const API_VERSION = "1.51";

export type QueryValue = string | number | boolean | undefined | readonly string[];

export interface EngineRequest {
	query?: Readonly<Record<string, QueryValue>>;
	/** Sent as JSON. */
	json?: unknown;
	/** Sent chunked; excludes `json`. */
	stream?: AsyncIterable<Uint8Array>;
	/** Of `stream`. */
	contentType?: string;
	headers?: Readonly<Record<string, string>>;
	/** Statuses that are answers, not errors, besides 1xx and 2xx. */
	accept?: readonly number[];
	/** The version this one request is written for, where it is newer than the others'; a daemon without it gets the usual one. */
	version?: string | undefined;
}

export interface EngineClientOptions {
	/** Speak exactly this version, whatever the daemon offers. */
	apiVersion?: string;
	headers?: Readonly<Record<string, string>>;
	userAgent?: string;
}

/**
 * A client of one daemon. Connections are opened when needed and kept; a request that finds none idle opens another, so that
 * long polls and streams never hold up anything. Not closed by the end of the program: call `close`.
 */
export class EngineClient {
	/** Have answered a request and wait for another. */
	readonly #idle: SocketChannel[] = [];
	/** Have carried nothing yet: servers may allow a connection to be hijacked by its first request only. */
	readonly #fresh: SocketChannel[] = [];
	readonly #busy = new Set<SocketChannel>();
	#version: string;
	#isNegotiated: boolean;

	constructor(
		readonly endpoint: Endpoint,
		private readonly options: EngineClientOptions = {},
	) {
		this.#version = options.apiVersion ?? API_VERSION;
		this.#isNegotiated = options.apiVersion !== undefined;
	}

	/** The version spoken; final once a request was answered. */
	get apiVersion(): string {
		return this.#version;
	}

	/** Opens a connection ahead of need. Errors come up with the request that would have used it. */
	async warmUp(count = 1): Promise<void> {
		const opened = await Promise.allSettled(Array.from({ length: count }, () => SocketChannel.open(this.endpoint)));
		for (const result of opened) if (result.status === "fulfilled") this.#fresh.push(result.value);
	}

	/**
	 * The answer, its body yet to be read (an unread body keeps the connection busy).
	 * @throws ApiError for an error status, ConnectionError when there is no daemon
	 */
	async request(method: string, path: string, request: EngineRequest = {}): Promise<HttpResponse> {
		if (request.stream !== undefined && !this.#isNegotiated) await this.negotiate();
		const response = await this.#exchange(method, path, request, {});
		if (response.status < 400 || request.accept?.includes(response.status)) {
			this.#isNegotiated = true;
			return response;
		}
		const error = new ApiError(response.status, await errorText(response));
		if (request.version !== undefined && isTooNew(error))
			return await this.request(method, path, { ...request, version: undefined });
		if (request.stream === undefined && this.#downgrade(response, error))
			return await this.request(method, path, request);
		throw error;
	}

	/** The answer's JSON. */
	async json<T>(method: string, path: string, request: EngineRequest = {}): Promise<T> {
		return await (await this.request(method, path, request)).json<T>();
	}

	/** For answers that nobody reads. */
	async send(method: string, path: string, request: EngineRequest = {}): Promise<number> {
		const response = await this.request(method, path, request);
		await response.bytes();
		return response.status;
	}

	/** Turns a connection into the raw stream of an attach or exec: framed records, or the bytes of a terminal. */
	async hijack(path: string, request: EngineRequest = {}): Promise<SocketChannel> {
		const response = await this.#exchange("POST", path, request, { Connection: "Upgrade", Upgrade: "tcp" });
		if (!response.isUpgraded) {
			const error = new ApiError(response.status, await errorText(response));
			if (this.#downgrade(response, error)) return await this.hijack(path, request);
			throw error;
		}
		this.#isNegotiated = true;
		return response.channel;
	}

	/** Learns the daemon's newest version where no plain request has done it yet. */
	async negotiate(): Promise<void> {
		if (this.#isNegotiated) return;
		const response = await this.#exchangeAt("HEAD", "/_ping", {}, {});
		const offered = response.headers.get("api-version");
		if (offered !== undefined && isOlder(offered, this.#version)) this.#version = offered;
		this.#isNegotiated = true;
	}

	close(): void {
		for (const channel of [...this.#idle, ...this.#fresh, ...this.#busy]) channel.destroy();
		this.#idle.length = 0;
		this.#fresh.length = 0;
		this.#busy.clear();
	}

	/** True when the daemon only speaks an older version, which is then used. */
	#downgrade(response: HttpResponse, error: ApiError): boolean {
		if (this.#isNegotiated || !isTooNew(error)) return false;
		const offered = response.headers.get("api-version") ?? /version is (\d+\.\d+)/.exec(error.message)?.[1];
		if (offered === undefined || !isOlder(offered, this.#version)) return false;
		this.#version = offered;
		this.#isNegotiated = true;
		return true;
	}

	#exchange(
		method: string,
		path: string,
		request: EngineRequest,
		headers: Record<string, string>,
	): Promise<HttpResponse> {
		const isFixed = this.options.apiVersion !== undefined || this.#version !== API_VERSION;
		const version = isFixed ? this.#version : (request.version ?? this.#version);
		return this.#exchangeAt(method, `/v${version}${path}${encodeQuery(request.query)}`, request, headers);
	}

	async #exchangeAt(
		method: string,
		target: string,
		request: EngineRequest,
		headers: Record<string, string>,
	): Promise<HttpResponse> {
		const basePath = this.endpoint.kind === "tcp" ? this.endpoint.basePath : "";
		const body = request.json === undefined ? undefined : Buffer.from(JSON.stringify(request.json));
		const channel = await this.#take(headers["Upgrade"] !== undefined);
		this.#busy.add(channel);
		const message = {
			method,
			target: basePath + target,
			headers: {
				Host: this.endpoint.kind === "unix" ? "api.gantry.localhost" : this.endpoint.hostname,
				"User-Agent": this.options.userAgent ?? "Gantry-Client",
				...this.options.headers,
				...(body === undefined ? {} : { "Content-Type": "application/json" }),
				...(request.stream === undefined ? {} : { "Content-Type": request.contentType ?? "application/x-tar" }),
				...headers,
				...request.headers,
			},
			...(body === undefined ? {} : { body }),
			...(request.stream === undefined ? {} : { body: request.stream }),
		};
		return await exchange(channel, message, (isReusable) => {
			this.#busy.delete(channel);
			if (isReusable && channel.isOpen) this.#idle.push(channel);
			else channel.destroy();
		});
	}

	async #take(mustBeFresh: boolean): Promise<SocketChannel> {
		for (;;) {
			const waiting = (mustBeFresh ? undefined : this.#idle.pop()) ?? this.#fresh.pop();
			if (waiting === undefined) break;
			if (waiting.isOpen) return waiting;
		}
		try {
			return await SocketChannel.open(this.endpoint);
		} catch (cause) {
			throw new ConnectionError(formatEndpoint(this.endpoint), errnoCode(cause) ?? "", { cause });
		}
	}
}

/** `?a=1&b=x`: false and undefined are left out, true is 1, a list is the key repeated. */
export function encodeQuery(query: EngineRequest["query"]): string {
	if (query === undefined) return "";
	const parts: string[] = [];
	for (const [name, value] of Object.entries(query)) {
		if (value === undefined || value === false) continue;
		if (Array.isArray(value)) for (const item of value) parts.push(`${name}=${encodeURIComponent(item)}`);
		else parts.push(`${name}=${value === true ? "1" : encodeURIComponent(String(value))}`);
	}
	return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** One element of a path. @throws InvalidParameterError for what no daemon could resolve */
export function pathSegment(text: string): string {
	if (text === "") throw new InvalidParameterError("invalid empty name or ID");
	return encodeURIComponent(text);
}

async function errorText(response: HttpResponse): Promise<string> {
	const text = (await response.text()).trim();
	try {
		const body: unknown = JSON.parse(text);
		if (typeof body === "object" && body !== null && "message" in body) return String(body.message).trim();
	} catch {
		// Not JSON (a proxy, an old daemon): the text itself is the message.
	}
	if (text !== "") return text;
	return `request returned status ${response.status} with an empty body; check that the host is a daemon of this API`;
}

function isTooNew({ status, message }: ApiError): boolean {
	return status === 400 && message.includes("is too new");
}

function isOlder(version: string, than: string): boolean {
	const [major = 0, minor = 0] = version.split(".").map(Number);
	const [thanMajor = 0, thanMinor = 0] = than.split(".").map(Number);
	return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
