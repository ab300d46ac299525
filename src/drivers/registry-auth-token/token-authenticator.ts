import { type KeyObject, randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { AccessRules, Identity } from "../../core/registry/access.ts";
import type { Authenticator, Challenge, TokenAccess, TokenIssuer } from "../../core/registry/authenticator.ts";
import { type Claims, signJwt, type VerificationKey, verifyJwt } from "./jwt.ts";
import { keyIdOf } from "./token-keys.ts";

/** Clocks of two machines differ. */
const LEEWAY_SECONDS = 60;
const LIFETIME_SECONDS = 300;

export interface TokenTerms {
	/** Where clients get tokens. */
	readonly realm: string;
	/** Audience of the tokens. */
	readonly service: string;
	readonly issuer: string;
}

/** Rights by the token that the request brings, signed by a token service. */
export class TokenAuthenticator implements Authenticator {
	readonly challenge: Challenge;

	constructor(
		private readonly terms: TokenTerms,
		private readonly keys: readonly VerificationKey[],
		private readonly clock: Clock,
		/** Filters the names that a catalog shows, where the rules are known: a token for the catalog names none. */
		private readonly rules?: AccessRules,
	) {
		this.challenge = { scheme: "bearer", realm: terms.realm, service: terms.service };
	}

	async identify(authorization: string | undefined): Promise<Identity | undefined> {
		if (authorization === undefined) return this.#identity("", []);
		const token = /^bearer\s+(\S+)\s*$/i.exec(authorization)?.[1];
		const claims = token === undefined ? undefined : verifyJwt(token, this.keys);
		if (claims === undefined || !this.#isMeantForUs(claims) || !this.#isCurrent(claims)) return undefined;
		const user = typeof claims["sub"] === "string" && claims["sub"] !== "" ? claims["sub"] : "anonymous";
		return this.#identity(user, accessOf(claims));
	}

	#identity(user: string, access: readonly TokenAccess[]): Identity {
		const has = (type: string, name: string, action: string) =>
			access.some(
				(each) =>
					each.type === type && each.name === name && (each.actions.includes(action) || each.actions.includes("*")),
			);
		const mayList = has("registry", "catalog", "*");
		return {
			user,
			mayList,
			allows: ({ repository, action }) => has("repository", repository, action),
			sees: (repository) => mayList && (this.rules?.allows(user, { repository, action: "pull" }) ?? true),
		};
	}

	#isMeantForUs(claims: Claims): boolean {
		const { iss, aud } = claims;
		const audience = Array.isArray(aud) ? aud : [aud];
		return iss === this.terms.issuer && audience.includes(this.terms.service);
	}

	#isCurrent(claims: Claims): boolean {
		const seconds = this.clock.now() / 1000;
		const { exp, nbf } = claims;
		if (typeof exp !== "number" || exp + LEEWAY_SECONDS < seconds) return false;
		return nbf === undefined || (typeof nbf === "number" && nbf - LEEWAY_SECONDS <= seconds);
	}
}

function accessOf(claims: Claims): TokenAccess[] {
	const { access } = claims;
	if (!Array.isArray(access)) return [];
	return access.flatMap((entry: unknown) => {
		if (typeof entry !== "object" || entry === null) return [];
		const { type, name, actions }: { type?: unknown; name?: unknown; actions?: unknown } = entry;
		if (typeof type !== "string" || typeof name !== "string" || !Array.isArray(actions)) return [];
		return [{ type, name, actions: actions.filter((action) => typeof action === "string") }];
	});
}

export class JwtIssuer implements TokenIssuer {
	readonly #keyId: string;

	constructor(
		private readonly terms: TokenTerms,
		private readonly key: KeyObject,
		private readonly clock: Clock,
	) {
		this.#keyId = keyIdOf(key);
	}

	issue(user: string, access: readonly TokenAccess[]) {
		const issuedAt = new Date(this.clock.now());
		const seconds = Math.floor(issuedAt.getTime() / 1000);
		const claims = {
			iss: this.terms.issuer,
			sub: user,
			aud: this.terms.service,
			iat: seconds,
			nbf: seconds,
			exp: seconds + LIFETIME_SECONDS,
			jti: randomUUID(),
			access,
		};
		return { token: signJwt(claims, this.key, this.#keyId), expiresInSeconds: LIFETIME_SECONDS, issuedAt };
	}
}
