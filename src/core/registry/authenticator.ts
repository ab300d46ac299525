import type { Identity } from "./access.ts";

/** The ways a registry may ask who somebody is. */
export type Challenge =
	| { readonly scheme: "basic"; readonly realm: string }
	| { readonly scheme: "bearer"; readonly realm: string; readonly service: string };

export interface Authenticator {
	readonly challenge: Challenge;
	/**
	 * @param authorization the request's header, undefined when it has none
	 * @returns who it is; undefined when the credentials are wrong, expired or of another scheme
	 */
	identify(authorization: string | undefined): Promise<Identity | undefined>;
}

/** Passwords by user name. */
export interface PasswordStore {
	/** Takes as long for unknown users as for known ones. */
	verify(user: string, password: string): Promise<boolean>;
}

export interface TokenAccess {
	readonly type: string;
	readonly name: string;
	readonly actions: readonly string[];
}

/** Makes the tokens of the built-in token service. */
export interface TokenIssuer {
	issue(
		user: string,
		access: readonly TokenAccess[],
	): { readonly token: string; readonly expiresInSeconds: number; readonly issuedAt: Date };
}

/** `user` and `password` of a Basic authorization, undefined when it is none. */
export function parseBasic(
	authorization: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
	const match = /^basic\s+([a-z0-9+/=]+)\s*$/i.exec(authorization ?? "");
	if (match === null) return undefined;
	const text = Buffer.from(match[1] ?? "", "base64").toString("utf8");
	const colon = text.indexOf(":");
	return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
