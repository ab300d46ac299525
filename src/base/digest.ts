import { createHash } from "node:crypto";
import { InvalidParameterError } from "./errors.ts";

/** A content address, `<algorithm>:<lower-case hex>` (OCI image specification, "Digests"). Only sha256 and sha512 are used. */
export type Digest = string & { readonly __brand: "digest" };

const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

export function isDigest(text: string): text is Digest {
	const colon = text.indexOf(":");
	const length = HEX_LENGTH[text.slice(0, colon)];
	return length !== undefined && text.length === colon + 1 + length && /^[0-9a-f]+$/.test(text.slice(colon + 1));
}

/** @throws InvalidParameterError when `text` is not a digest. */
export function parseDigest(text: string): Digest {
	if (!isDigest(text)) throw new InvalidParameterError(`invalid digest: ${text}`);
	return text;
}

export function sha256(data: string | Uint8Array): Digest {
	return `sha256:${createHash("sha256").update(data).digest("hex")}` as Digest;
}

/** The digest of a finished sha256 in hex. */
export function sha256FromHex(hex: string): Digest {
	return parseDigest(`sha256:${hex}`);
}

export function digestHex(digest: Digest): string {
	return digest.slice(digest.indexOf(":") + 1);
}
