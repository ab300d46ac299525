import {
	type Challenge,
	parseChallenges,
	parseToken,
	type Token,
	tokenAddress,
	tokenRequest,
} from "../../core/remotes/challenge.ts";
import type { RegistryCredentials } from "../../core/remotes/remote.ts";
import { describeAnswer, RemoteError } from "../../core/remotes/remote-error.ts";
import { isTransientStatus } from "../../core/remotes/retry.ts";
import type { HttpAnswer, HttpClient, TlsSettings } from "./http-client.ts";
import { withoutSecrets } from "./transport-error.ts";

const TOKEN_ANSWER_LIMIT_BYTES = 1 << 20;
/** So much earlier than it ends a token is renewed. */
const RENEWAL_MARGIN_MS = 10_000;
const CLIENT_ID = "gantry";

export interface AuthenticatorOptions {
	readonly client: HttpClient;
	readonly tls: TlsSettings;
	readonly credentials: RegistryCredentials | undefined;
	/** What is asked for: `repository:library/busybox:pull`. */
	readonly scopes: readonly string[];
	/** Asks for a refresh token, too. */
	readonly wantsIdentityToken?: boolean;
}

/** Proves to one registry who asks: learns from its first refusal how, and renews tokens before they end. */
export class Authenticator {
	#basic: string | undefined;
	#bearer: Challenge | undefined;
	#token: { readonly header: string; readonly endsAt: number } | undefined;
	#renewal: Promise<void> | undefined;
	/** Given by the token server on `wantsIdentityToken`. */
	identityToken: string | undefined;

	constructor(readonly options: AuthenticatorOptions) {
		const { registryToken } = options.credentials ?? {};
		if (registryToken !== undefined)
			this.#token = { header: `Bearer ${registryToken}`, endsAt: Number.POSITIVE_INFINITY };
	}

	/** Whether the registry wants tokens, which are made for a purpose. Known after its first refusal. */
	get usesTokens(): boolean {
		return this.#bearer !== undefined;
	}

	/** The `Authorization` header to send; undefined as long as the registry has not asked. */
	async header(signal: AbortSignal): Promise<string | undefined> {
		if (this.#token !== undefined && this.#bearer !== undefined && this.#token.endsAt < Date.now())
			await this.#renew(this.#bearer, signal);
		return this.#token?.header ?? this.#basic;
	}

	/**
	 * Learns from a 401.
	 * @param sent the header that was refused
	 * @returns whether another try makes sense
	 * @throws RemoteError when the token server refuses
	 */
	async refused(answer: HttpAnswer, sent: string | undefined, signal: AbortSignal): Promise<boolean> {
		// Somebody else got or renewed it meanwhile.
		if (this.#token !== undefined && sent !== this.#token.header) return true;
		const challenges = parseChallenges(answer.header("www-authenticate") ?? "");
		const bearer = challenges.find(({ scheme }) => scheme === "bearer");
		if (bearer !== undefined && this.options.credentials?.registryToken === undefined) {
			this.#bearer = bearer;
			await this.#renew(bearer, signal);
			return true;
		}
		const { username, password = "" } = this.options.credentials ?? {};
		if (!challenges.some(({ scheme }) => scheme === "basic") || sent !== undefined) return false;
		if (username === undefined)
			throw new RemoteError(`Get "${withoutSecrets(answer.url)}": no basic auth credentials`, {
				status: 0,
				isTransient: false,
			});
		this.#basic = basicHeader(username, password);
		return true;
	}

	async #renew(challenge: Challenge, signal: AbortSignal): Promise<void> {
		this.#renewal ??= this.#fetchToken(challenge, signal).finally(() => {
			this.#renewal = undefined;
		});
		await this.#renewal;
	}

	async #fetchToken(challenge: Challenge, signal: AbortSignal): Promise<void> {
		const request = tokenRequest(challenge, scopesOf(challenge, this.options.scopes));
		if (request === undefined)
			throw new RemoteError("the registry names no usable address for tokens", { status: 401, isTransient: false });
		const { identityToken } = this.options.credentials ?? {};
		const body = await (identityToken === undefined
			? this.#getToken(tokenAddress(request, this.options.credentials?.username), signal)
			: this.#postToken(new URL(request.realm), request.service, request.scopes.join(" "), identityToken, signal));
		const token = parseToken(body);
		if (token === undefined)
			throw new RemoteError("authorization server did not include a token in the response", {
				status: 401,
				isTransient: false,
			});
		this.#keep(token);
	}

	#keep(token: Token): void {
		this.#token = { header: `Bearer ${token.value}`, endsAt: Date.now() + token.lifetimeMs - RENEWAL_MARGIN_MS };
		this.identityToken ??= token.refreshToken;
	}

	async #getToken(url: URL, signal: AbortSignal): Promise<string> {
		const { username, password = "" } = this.options.credentials ?? {};
		if (this.options.wantsIdentityToken === true) {
			url.searchParams.set("offline_token", "true");
			url.searchParams.set("client_id", CLIENT_ID);
		}
		const headers = username === undefined ? {} : { Authorization: basicHeader(username, password) };
		const { client, tls } = this.options;
		return tokenBody(await client.send({ method: "GET", url, headers, tls }, signal));
	}

	async #postToken(url: URL, service: string, scope: string, refreshToken: string, signal: AbortSignal) {
		const body = new URLSearchParams({
			grant_type: "refresh_token",
			refresh_token: refreshToken,
			service,
			client_id: CLIENT_ID,
			...(scope === "" ? {} : { scope }),
		}).toString();
		const headers = { "Content-Type": "application/x-www-form-urlencoded" };
		const { client, tls } = this.options;
		return tokenBody(await client.send({ method: "POST", url, headers, body, tls }, signal));
	}
}

async function tokenBody(answer: HttpAnswer): Promise<string> {
	const body = await answer.text(TOKEN_ANSWER_LIMIT_BYTES);
	const { status } = answer;
	if (status === 200) return body;
	const { code, message } = describeAnswer(status, body);
	throw new RemoteError(message, { status, code, isTransient: isTransientStatus(status) });
}

/** The registry may ask for more than we thought of (a mount's other repository). */
function scopesOf({ parameters }: Challenge, scopes: readonly string[]): readonly string[] {
	if (scopes.length > 0) return scopes;
	return parameters["scope"] === undefined ? [] : [parameters["scope"]];
}

function basicHeader(username: string, password: string): string {
	return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
