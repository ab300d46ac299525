import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { errorMessage, InvalidParameterError } from "../../base/errors.ts";
import { type AccessRules, FULL_ACCESS_FOR_USERS, parseAccessRules } from "../../core/registry/access.ts";
import type { Authenticator, PasswordStore } from "../../core/registry/authenticator.ts";
import { BasicAuthenticator } from "../../core/registry/basic-authenticator.ts";
import { HtpasswdStore } from "../../drivers/registry-auth-htpasswd/htpasswd-store.ts";
import {
	JwtIssuer,
	TokenAuthenticator,
	type TokenTerms,
} from "../../drivers/registry-auth-token/token-authenticator.ts";
import { keyIdOf, loadSigningKey, loadVerificationKeys } from "../../drivers/registry-auth-token/token-keys.ts";
import type { TokenService } from "../../registry/registry.ts";
import type { RegistryConfig } from "./config.ts";

export interface Authentication {
	readonly authenticator: Authenticator | undefined;
	readonly tokenService: TokenService | undefined;
}

/** Who may do what, by the options. @throws InvalidParameterError when they make no sense together */
export async function wireAuthentication(config: RegistryConfig, clock: Clock): Promise<Authentication> {
	const htpasswd = config.text("htpasswd");
	const realm = config.text("token-realm");
	const endpoint = config.text("token-endpoint");
	const rules = accessRules(config.text("access"));
	if (realm !== undefined && endpoint !== undefined)
		throw new InvalidParameterError("--token-realm and --token-endpoint exclude each other");
	if (realm !== undefined) {
		const keys = await loadVerificationKeys(config.required("token-key"));
		return { authenticator: new TokenAuthenticator(termsOf(config, realm), keys, clock), tokenService: undefined };
	}
	if (htpasswd === undefined) {
		if (endpoint !== undefined) throw new InvalidParameterError("--token-endpoint needs --htpasswd");
		if (rules !== undefined) throw new InvalidParameterError("--access needs --htpasswd");
		return { authenticator: undefined, tokenService: undefined };
	}
	const passwords = await HtpasswdStore.open(htpasswd, clock);
	const granted = rules ?? FULL_ACCESS_FOR_USERS;
	if (endpoint !== undefined) return await wireTokenService(config, endpoint, { passwords, rules: granted, clock });
	const authenticator = new BasicAuthenticator(passwords, granted, config.required("auth-realm"));
	return { authenticator, tokenService: undefined };
}

async function wireTokenService(
	config: RegistryConfig,
	endpoint: string,
	deps: { readonly passwords: PasswordStore; readonly rules: AccessRules; readonly clock: Clock },
): Promise<Authentication> {
	const { passwords, rules, clock } = deps;
	const terms = termsOf(config, endpoint);
	const key = await loadSigningKey(config.text("token-key") ?? join(config.required("root"), "token-key.pem"));
	const issuer = new JwtIssuer(terms, key, clock);
	const keys = [{ id: keyIdOf(key), key: createPublicKey(key) }];
	return {
		authenticator: new TokenAuthenticator(terms, keys, clock, rules),
		tokenService: { service: terms.service, passwords, rules, issuer },
	};
}

function termsOf(config: RegistryConfig, realm: string): TokenTerms {
	if (!URL.canParse(realm)) throw new InvalidParameterError(`invalid URL of a token service: ${realm}`);
	return { realm, service: config.required("token-service"), issuer: config.required("token-issuer") };
}

/** @throws InvalidParameterError */
function accessRules(path: string | undefined): AccessRules | undefined {
	if (path === undefined) return undefined;
	let document: unknown;
	try {
		document = Bun.YAML.parse(readFileSync(path, "utf8"));
	} catch (cause) {
		throw new InvalidParameterError(`cannot read ${path}: ${errorMessage(cause)}`, { cause });
	}
	return parseAccessRules(document);
}
