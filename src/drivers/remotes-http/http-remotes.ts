import type { Clock } from "../../base/clock.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { DEFAULT_DOMAIN } from "../../core/image/reference.ts";
import { type Endpoint, placeOf, type RegistrySettings } from "../../core/remotes/endpoint.ts";
import type { ProxySettings } from "../../core/remotes/proxy.ts";
import type { Fetcher, Pusher, RegistryCredentials, Remotes, SearchResult } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { EndpointConnection, type PlainOrigins } from "./endpoint-connection.ts";
import { DEFAULT_TIMEOUTS, HttpClient, type HttpTimeouts } from "./http-client.ts";
import { HttpFetcher } from "./http-fetcher.ts";
import { HttpPusher } from "./http-pusher.ts";
import { RegistryHosts } from "./registry-hosts.ts";
import type { RetryOptions } from "./retrying.ts";
import { parseSearch, searchOrigin } from "./search.ts";

export interface HttpRemotesOptions {
	readonly clock: Clock;
	readonly settings: RegistrySettings;
	/** With a directory for each registry: `hosts.toml`, certificates. */
	readonly hostDirectories: readonly string[];
	readonly proxies: ProxySettings;
	/** Attempts at each transfer. */
	readonly attempts: number;
	readonly userAgent: string;
	readonly timeouts?: HttpTimeouts;
	readonly logger: Logger;
}

const SEARCH_ANSWER_LIMIT_BYTES = 4 << 20;

/** Registries over HTTP. */
export class HttpRemotes implements Remotes {
	readonly #client: HttpClient;
	readonly #plainOrigins: PlainOrigins = new Set();
	#hosts: RegistryHosts;
	#retry: RetryOptions;

	constructor(readonly options: HttpRemotesOptions) {
		const { clock, attempts, settings, hostDirectories } = options;
		this.#client = new HttpClient(options.userAgent, options.proxies, options.timeouts ?? DEFAULT_TIMEOUTS);
		this.#hosts = new RegistryHosts(settings, hostDirectories);
		this.#retry = { clock, attempts };
	}

	/** For operations that begin from now on. */
	reconfigure(settings: RegistrySettings, attempts: number): void {
		this.#hosts = new RegistryHosts(settings, this.options.hostDirectories);
		this.#retry = { ...this.#retry, attempts };
		this.#plainOrigins.clear();
	}

	async fetcher(repository: string, credentials: RegistryCredentials | undefined): Promise<Fetcher> {
		const { domain, path } = placeOf(repository);
		const connections = this.#hosts
			.endpoints(domain)
			.map((endpoint) => this.#connection(endpoint, credentials, [`repository:${path}:pull`]));
		return new HttpFetcher(path, connections, this.#retry, this.options.logger);
	}

	async pusher(repository: string, credentials: RegistryCredentials | undefined): Promise<Pusher> {
		const { domain, path } = placeOf(repository);
		const endpoint = this.#hosts.endpoints(domain).find(({ canPush }) => canPush);
		if (endpoint === undefined) throw new InvalidParameterError(`no host of ${domain} may be pushed to`);
		const connect = (scopes: readonly string[]) => this.#connection(endpoint, credentials, scopes);
		return new HttpPusher(path, connect([`repository:${path}:pull,push`]), this.#retry, connect);
	}

	async login(server: string, credentials: RegistryCredentials, signal: AbortSignal): Promise<string | undefined> {
		const domain = serverDomain(server);
		const endpoint = this.#hosts.endpoints(domain).findLast(({ isOrigin }) => isOrigin);
		if (endpoint === undefined) throw new InvalidParameterError(`${domain} has no host of its own`);
		const connection = this.#connection(endpoint, credentials, [], true);
		try {
			const answer = await connection.request({ method: "GET", target: "/", accepts: [200] }, signal);
			await answer.discard();
		} catch (error) {
			throw loginError(error, connection);
		}
		return connection.authenticator.identityToken;
	}

	async search(
		term: string,
		limit: number,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<SearchResult[]> {
		const { domain, query } = searchOrigin(term);
		const endpoint = this.#searchEndpoint(domain);
		const connection = this.#connection(endpoint, credentials, []);
		if (credentials !== undefined) await introduce(connection, signal);
		const parameters = new URLSearchParams({ q: query, n: String(limit) });
		const target = `/search?${parameters}`;
		const answer = await connection.request({ method: "GET", target, accepts: [200, 404] }, signal);
		// Most registries have nothing of the kind.
		if (answer.status === 404) throw new RemoteError("Unexpected status code 404", { status: 404, isTransient: false });
		return parseSearch(await answer.text(SEARCH_ANSWER_LIMIT_BYTES)).slice(0, limit);
	}

	/** Searching is older than the protocol: it lives beside it. */
	#searchEndpoint(domain: string): Endpoint {
		const endpoints = this.#hosts.endpoints(domain);
		const origin = endpoints.findLast(({ isOrigin }) => isOrigin) ?? endpoints.at(-1);
		if (origin === undefined) throw new InvalidParameterError(`${domain} has no host`);
		const host = domain === DEFAULT_DOMAIN ? "https://index.docker.io" : origin.origin;
		return { ...origin, origin: host, prefix: "/v1" };
	}

	#connection(
		endpoint: Endpoint,
		credentials: RegistryCredentials | undefined,
		scopes: readonly string[],
		wantsIdentityToken = false,
	): EndpointConnection {
		return new EndpointConnection({
			client: this.#client,
			endpoint,
			credentials,
			scopes,
			plainOrigins: this.#plainOrigins,
			wantsIdentityToken,
		});
	}
}

/** `https://index.docker.io/v1/`, `registry.example.org`, `localhost:5000`. @throws InvalidParameterError */
function serverDomain(server: string): string {
	const text = server === "" ? DEFAULT_DOMAIN : server;
	const url = text.includes("://") ? text : `https://${text}`;
	if (!URL.canParse(url)) throw new InvalidParameterError(`invalid server address: "${server}"`);
	const host = text
		.replace(/^[a-z]+:\/\//, "")
		.split("/", 1)
		.join("");
	return ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"].includes(host)
		? DEFAULT_DOMAIN
		: host;
}

/** Searching asks nobody for a password where strangers may see something: the protocol's own address does. */
async function introduce(connection: EndpointConnection, signal: AbortSignal): Promise<void> {
	const target = new URL("/v2/", connection.url("/"));
	try {
		await (await connection.request({ method: "GET", target, accepts: [200, 404] }, signal)).discard();
	} catch (error) {
		// The search itself tells.
		if (!(error instanceof RemoteError)) throw error;
	}
}

function loginError(error: unknown, connection: EndpointConnection): unknown {
	if (!(error instanceof RemoteError) || error.failure.status !== 401) return error;
	const { href } = connection.url("/");
	const message = connection.authenticator.usesTokens
		? `Get "${href}": ${error.message}`
		: `login attempt to ${href} failed with status: 401 Unauthorized`;
	return new RemoteError(message, error.failure, { cause: error });
}
