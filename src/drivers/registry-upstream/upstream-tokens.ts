import { errorMessage, NotFoundError, UnavailableError } from "../../base/errors.ts";

export interface Credentials {
	readonly user: string;
	readonly password: string;
}

const DEFAULT_LIFETIME_SECONDS = 60;
const TIMEOUT_MS = 30_000;

/** What to send as Authorization: a password where that is asked for, else a token by scope, kept until shortly before its end. */
export class UpstreamTokens {
	readonly #tokens = new Map<string, { readonly token: string; readonly untilMs: number }>();
	#asksForPassword = false;

	constructor(private readonly credentials: Credentials | undefined) {}

	/** The header to try first. */
	async header(scope: string): Promise<string | undefined> {
		if (this.#asksForPassword) return this.#basic();
		const known = this.#tokens.get(scope);
		return known !== undefined && known.untilMs > Date.now() ? `Bearer ${known.token}` : undefined;
	}

	/** The header that a challenge asks for. @throws NotFoundError when there is none, UnavailableError */
	async answer(challenge: string, scope: string): Promise<string> {
		if (/^basic\b/i.test(challenge)) {
			this.#asksForPassword = true;
			const header = this.#basic();
			if (header === undefined) throw new NotFoundError("the other registry asks for a password");
			return header;
		}
		const fields = Object.fromEntries(
			Array.from(challenge.matchAll(/(\w+)="([^"]*)"/g), ([, key = "", value]) => [key.toLowerCase(), value]),
		);
		const realm = fields["realm"];
		if (!/^bearer\b/i.test(challenge) || realm === undefined || !URL.canParse(realm))
			throw new UnavailableError("the other registry asks for something unknown");
		const token = await this.#fetchToken(new URL(realm), fields["service"], scope);
		return `Bearer ${token}`;
	}

	#basic(): string | undefined {
		if (this.credentials === undefined) return undefined;
		return `Basic ${Buffer.from(`${this.credentials.user}:${this.credentials.password}`).toString("base64")}`;
	}

	async #fetchToken(realm: URL, service: string | undefined, scope: string): Promise<string> {
		if (service !== undefined) realm.searchParams.set("service", service);
		realm.searchParams.set("scope", scope);
		const basic = this.#basic();
		let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown };
		try {
			const response = await fetch(realm, {
				headers: basic === undefined ? {} : { Authorization: basic },
				redirect: "error",
				signal: AbortSignal.timeout(TIMEOUT_MS),
			});
			if (response.status === 401 || response.status === 403) throw new NotFoundError("the token service refused");
			if (!response.ok) throw new Error(`answered ${response.status}`);
			answer = JSON.parse(await response.text());
		} catch (cause) {
			if (cause instanceof NotFoundError) throw cause;
			throw new UnavailableError(`the token service failed: ${errorMessage(cause)}`, { cause });
		}
		const token = answer.token ?? answer.access_token;
		if (typeof token !== "string") throw new UnavailableError("the token service sent no token");
		const seconds = typeof answer.expires_in === "number" ? answer.expires_in : DEFAULT_LIFETIME_SECONDS;
		this.#tokens.set(scope, { token, untilMs: Date.now() + seconds * 900 });
		return token;
	}
}
