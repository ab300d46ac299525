/** `WWW-Authenticate` (RFC 9110, section 11.6.1) and the token protocol's addresses. */
export interface Challenge {
	/** In lower case: `basic`, `bearer`. */
	readonly scheme: string;
	/** Names in lower case. */
	readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const HEADER_LIMIT = 8192;

/** All challenges of a header; what cannot be understood ends the list. */
export function parseChallenges(header: string): Challenge[] {
	const text = header.slice(0, HEADER_LIMIT);
	const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
	let position = 0;
	const take = (pattern: RegExp): RegExpExecArray | undefined => {
		pattern.lastIndex = position;
		const match = pattern.exec(text) ?? undefined;
		position += match?.[0].length ?? 0;
		return match;
	};
	const skip = () => {
		while (/[\s,]/.test(text[position] ?? "")) position++;
	};
	for (skip(); position < text.length; skip()) {
		const name = take(TOKEN)?.[0];
		if (name === undefined) break;
		const afterName = position;
		while (/\s/.test(text[position] ?? "")) position++;
		const last = challenges.at(-1);
		if (text[position] !== "=" || last === undefined) {
			position = afterName;
			challenges.push({ scheme: name.toLowerCase(), parameters: {} });
			continue;
		}
		position++;
		while (/\s/.test(text[position] ?? "")) position++;
		const value = text[position] === '"' ? take(QUOTED)?.[1]?.replace(/\\(.)/g, "$1") : take(TOKEN)?.[0];
		if (value === undefined) break;
		last.parameters[name.toLowerCase()] = value;
	}
	return challenges;
}

/** Where to ask for a bearer token. */
export interface TokenRequest {
	readonly realm: string;
	readonly service: string;
	readonly scopes: readonly string[];
}

/** @returns undefined when the challenge names no usable address */
export function tokenRequest({ parameters }: Challenge, scopes: readonly string[]): TokenRequest | undefined {
	const realm = parameters["realm"] ?? "";
	if (!URL.canParse(realm) || !/^https?:$/.test(new URL(realm).protocol)) return undefined;
	return { realm, service: parameters["service"] ?? "", scopes };
}

/** The address of a `GET` for a token. */
export function tokenAddress({ realm, service, scopes }: TokenRequest, account: string | undefined): URL {
	const url = new URL(realm);
	if (service !== "") url.searchParams.set("service", service);
	for (const scope of scopes) url.searchParams.append("scope", scope);
	if (account !== undefined) url.searchParams.set("account", account);
	return url;
}

export interface Token {
	readonly value: string;
	/** Lives at least 60 s, as the protocol has it for answers that do not say. */
	readonly lifetimeMs: number;
	readonly refreshToken: string | undefined;
}

const SHORTEST_LIFETIME_SECONDS = 60;

/** @returns undefined for an answer without a token */
export function parseToken(body: string): Token | undefined {
	let value: Record<string, unknown> | null;
	try {
		value = JSON.parse(body);
	} catch {
		// Told by the missing token.
		return undefined;
	}
	const text = (name: string) => (typeof value?.[name] === "string" && value[name] !== "" ? value[name] : undefined);
	const token = (text("token") as string | undefined) ?? (text("access_token") as string | undefined);
	if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) return undefined;
	const seconds = Number(value?.["expires_in"] ?? 0);
	return {
		value: token,
		lifetimeMs: Math.max(Number.isFinite(seconds) ? seconds : 0, SHORTEST_LIFETIME_SECONDS) * 1000,
		refreshToken: text("refresh_token") as string | undefined,
	};
}
