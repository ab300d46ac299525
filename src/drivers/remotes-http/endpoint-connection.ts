import { CancelledError } from "../../base/errors.ts";
import type { Endpoint } from "../../core/remotes/endpoint.ts";
import type { RegistryCredentials } from "../../core/remotes/remote.ts";
import { describeAnswer, RemoteError } from "../../core/remotes/remote-error.ts";
import { isTransientStatus, parseRetryAfter } from "../../core/remotes/retry.ts";
import { Authenticator } from "./authenticator.ts";
import { tlsSettings } from "./certificate-files.ts";
import type { HttpAnswer, HttpClient, HttpRequest, TlsSettings } from "./http-client.ts";

const MAX_REDIRECTS = 10;
const ERROR_BODY_LIMIT_BYTES = 64 << 10;
const AUTHENTICATION_ATTEMPTS = 3;

/** Which origins turned out to speak plain HTTP. Shared by all connections. */
export type PlainOrigins = Set<string>;

export interface ConnectionOptions {
	readonly client: HttpClient;
	readonly endpoint: Endpoint;
	readonly credentials: RegistryCredentials | undefined;
	readonly scopes: readonly string[];
	readonly plainOrigins: PlainOrigins;
	readonly wantsIdentityToken?: boolean;
}

export interface RegistryRequest {
	readonly method: HttpRequest["method"];
	/** Relative to the endpoint's prefix, or a whole address the registry named. */
	readonly target: string | URL;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array | undefined;
	/** A body that is made anew for each try. */
	readonly openBody?: (() => AsyncIterable<Uint8Array>) | undefined;
	/** Statuses that are no errors to the caller. */
	readonly accepts: readonly number[];
}

/**
 * One endpoint: authenticates, follows redirects without telling others the credentials, and turns refusals into errors.
 */
export class EndpointConnection {
	readonly #tls: TlsSettings;
	readonly authenticator: Authenticator;

	constructor(readonly options: ConnectionOptions) {
		const { client, endpoint, credentials, scopes, wantsIdentityToken = false } = options;
		this.#tls = tlsSettings(endpoint);
		this.authenticator = new Authenticator({
			client,
			tls: this.#tls,
			// The user's password is for the registry, not for its mirrors.
			credentials: endpoint.isOrigin ? credentials : undefined,
			scopes,
			wantsIdentityToken,
		});
	}

	get endpoint(): Endpoint {
		return this.options.endpoint;
	}

	/** @throws RemoteError, CancelledError */
	async request(request: RegistryRequest, signal: AbortSignal): Promise<HttpAnswer> {
		for (let attempt = 1; ; attempt++) {
			const authorization = await this.authenticator.header(signal);
			const answer = await this.#follow(request, authorization, signal);
			if (request.accepts.includes(answer.status)) return answer;
			// Only the registry itself is told anything about the user, not who it redirects to.
			if (answer.status === 401 && attempt < AUTHENTICATION_ATTEMPTS && this.#isHome(answer.url)) {
				if (await this.authenticator.refused(answer, authorization, signal)) {
					await answer.discard();
					continue;
				}
			}
			throw await answerError(answer);
		}
	}

	/** The address of a target, with the scheme that works. */
	url(target: string | URL): URL {
		if (typeof target !== "string") return target;
		const { origin, prefix, namespace } = this.endpoint;
		const url = new URL(`${this.#origin(origin)}${prefix}${target}`);
		if (namespace !== undefined) url.searchParams.set("ns", namespace);
		return url;
	}

	#origin(origin: string): string {
		return this.options.plainOrigins.has(origin) ? origin.replace(/^https:/, "http:") : origin;
	}

	async #follow(request: RegistryRequest, authorization: string | undefined, signal: AbortSignal): Promise<HttpAnswer> {
		let url = this.url(request.target);
		for (let hops = 0; ; hops++) {
			const answer = await this.#send(request, url, this.#isHome(url) ? authorization : undefined, signal);
			const location = answer.header("location");
			if (location === null || !isRedirect(request.method, answer.status)) return answer;
			if (hops === MAX_REDIRECTS)
				throw new RemoteError(`stopped after ${MAX_REDIRECTS} redirects`, {
					status: answer.status,
					isTransient: false,
				});
			await answer.discard();
			url = this.#redirected(url, location, answer.status);
		}
	}

	#isHome(url: URL): boolean {
		return url.origin === this.#origin(this.endpoint.origin) || url.origin === this.endpoint.origin;
	}

	/** From a secure address only to a secure one. */
	#redirected(from: URL, location: string, status: number): URL {
		const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
		const allowed = to !== undefined && /^https?:$/.test(to.protocol);
		const isDowngrade = from.protocol === "https:" && to?.protocol === "http:" && !this.endpoint.skipsVerification;
		if (to === undefined || !allowed || isDowngrade)
			throw new RemoteError(`the registry redirects to an address that is not allowed`, { status, isTransient: false });
		return to;
	}

	async #send(
		request: RegistryRequest,
		url: URL,
		authorization: string | undefined,
		signal: AbortSignal,
	): Promise<HttpAnswer> {
		const isHome = this.#isHome(url);
		const outgoing = (address: URL): HttpRequest => ({
			method: request.method,
			url: address,
			headers: {
				...request.headers,
				...(isHome ? this.endpoint.headers : {}),
				...(authorization === undefined ? {} : { Authorization: authorization }),
			},
			body: request.openBody?.() ?? request.body,
			tls: isHome ? this.#tls : { ...this.#tls, certificate: undefined, key: undefined },
		});
		const { client, plainOrigins } = this.options;
		try {
			return await client.send(outgoing(url), signal);
		} catch (error) {
			if (!this.endpoint.mayBePlain || url.protocol !== "https:" || !isHome || error instanceof CancelledError)
				throw error;
			if (request.openBody !== undefined) throw error;
			// An insecure registry may have no TLS at all.
			const plain = new URL(url.href.replace(/^https:/, "http:"));
			const answer = await client.send(outgoing(plain), signal);
			plainOrigins.add(this.endpoint.origin);
			return answer;
		}
	}
}

function isRedirect(method: string, status: number): boolean {
	return (method === "GET" || method === "HEAD") && [301, 302, 303, 307, 308].includes(status);
}

export async function answerError(answer: HttpAnswer): Promise<RemoteError> {
	const { status } = answer;
	const { code, message } = describeAnswer(status, await answer.text(ERROR_BODY_LIMIT_BYTES));
	const retryAfterMs = parseRetryAfter(answer.header("retry-after"), Date.now());
	return new RemoteError(message, { status, code, isTransient: isTransientStatus(status), retryAfterMs });
}
