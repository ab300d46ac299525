/** JSON Web Tokens (RFC 7519) signed with a private key (RFC 7515, 7518); nothing with a shared secret, nothing unsigned. */
import { type KeyObject, sign, verify } from "node:crypto";

interface Algorithm {
	readonly hash: string | null;
	readonly keyType: string;
	readonly curve?: string;
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
	RS256: { hash: "sha256", keyType: "rsa" },
	RS384: { hash: "sha384", keyType: "rsa" },
	RS512: { hash: "sha512", keyType: "rsa" },
	ES256: { hash: "sha256", keyType: "ec", curve: "prime256v1" },
	ES384: { hash: "sha384", keyType: "ec", curve: "secp384r1" },
	ES512: { hash: "sha512", keyType: "ec", curve: "secp521r1" },
	EdDSA: { hash: null, keyType: "ed25519" },
};
const TOKEN_LIMIT = 64 << 10;

export interface VerificationKey {
	/** Key ID; undefined when the key has none. */
	readonly id: string | undefined;
	readonly key: KeyObject;
}

export type Claims = Readonly<Record<string, unknown>>;

/** The claims of a token with a good signature; undefined for every other text. Times are not looked at. */
export function verifyJwt(token: string, keys: readonly VerificationKey[]): Claims | undefined {
	const [head = "", body = "", signature = "", ...rest] = token.split(".");
	if (token.length > TOKEN_LIMIT || rest.length > 0 || signature === "") return undefined;
	const header = decodePart(head);
	if (header === undefined || header["crit"] !== undefined) return undefined;
	const algorithm = typeof header["alg"] === "string" ? ALGORITHMS[header["alg"]] : undefined;
	if (algorithm === undefined) return undefined;
	// The key decides which algorithms it is good for: the token may only pick among them.
	const fitting = keys.filter(({ key }) => fits(key, algorithm));
	const named = fitting.filter(({ id }) => id !== undefined && id === header["kid"]);
	const data = Buffer.from(`${head}.${body}`);
	const bytes = Buffer.from(signature, "base64url");
	const isGood = (named.length > 0 ? named : fitting).some(({ key }) =>
		verify(algorithm.hash, data, { key, dsaEncoding: "ieee-p1363" }, bytes),
	);
	return isGood ? decodePart(body) : undefined;
}

export function signJwt(claims: Claims, key: KeyObject, keyId: string): string {
	const found = Object.entries(ALGORITHMS).find(([, algorithm]) => fits(key, algorithm));
	if (found === undefined) throw new Error(`no algorithm for keys of type ${key.asymmetricKeyType}`);
	const [name, algorithm] = found;
	const data = [{ typ: "JWT", alg: name, kid: keyId }, claims]
		.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
		.join(".");
	const signature = sign(algorithm.hash, Buffer.from(data), { key, dsaEncoding: "ieee-p1363" });
	return `${data}.${signature.toString("base64url")}`;
}

function fits(key: KeyObject, algorithm: Algorithm): boolean {
	if (key.asymmetricKeyType !== algorithm.keyType) return false;
	return algorithm.curve === undefined || key.asymmetricKeyDetails?.namedCurve === algorithm.curve;
}

function decodePart(text: string): Claims | undefined {
	try {
		const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
		return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
	} catch {
		// Not a token's part: the caller treats it as a bad token.
		return undefined;
	}
}
