import type { AccessRules, Identity } from "./access.ts";
import { type Authenticator, type Challenge, type PasswordStore, parseBasic } from "./authenticator.ts";

/** User and password with each request; rights by rules. */
export class BasicAuthenticator implements Authenticator {
	readonly challenge: Challenge;

	constructor(
		private readonly passwords: PasswordStore,
		private readonly rules: AccessRules,
		realm: string,
	) {
		this.challenge = { scheme: "basic", realm };
	}

	async identify(authorization: string | undefined): Promise<Identity | undefined> {
		if (authorization === undefined) return this.#identity("");
		const credentials = parseBasic(authorization);
		if (credentials === undefined) return undefined;
		const isKnown = await this.passwords.verify(credentials.user, credentials.password);
		return isKnown ? this.#identity(credentials.user) : undefined;
	}

	#identity(user: string): Identity {
		return identityOf(user, this.rules);
	}
}

export function identityOf(user: string, rules: AccessRules): Identity {
	return {
		user,
		mayList: user !== "" || rules.grantsAnonymous,
		allows: (access) => rules.allows(user, access),
		sees: (repository) => rules.allows(user, { repository, action: "pull" }),
	};
}
