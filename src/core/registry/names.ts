/** The grammar of repository names and tags (OCI distribution specification 1.1, "Pulling manifests"). */
import { isDigest } from "../../base/digest.ts";
import { registryError } from "./registry-error.ts";

const NAME_PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const NAME = new RegExp(`^${NAME_PART}(?:/${NAME_PART})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const UPLOAD_ID = /^[0-9a-f]{32}$/;
/** Longer parts do not fit into a directory entry. */
const PART_LIMIT = 200;
const NAME_LIMIT = 255;

export function isRepositoryName(text: string): boolean {
	return text.length <= NAME_LIMIT && NAME.test(text) && text.split("/").every((part) => part.length <= PART_LIMIT);
}

export function isTag(text: string): boolean {
	return TAG.test(text);
}

export function isUploadId(text: string): boolean {
	return UPLOAD_ID.test(text);
}

/** @throws RegistryError NAME_INVALID */
export function checkRepositoryName(text: string): string {
	if (!isRepositoryName(text)) throw registryError("NAME_INVALID", { name: text });
	return text;
}

/** A tag, or the digest of a manifest. @throws RegistryError MANIFEST_INVALID or DIGEST_INVALID */
export function checkReference(text: string): string {
	if (text.includes(":")) {
		if (!isDigest(text)) throw registryError("DIGEST_INVALID", { digest: text });
	} else if (!isTag(text)) throw registryError("MANIFEST_INVALID", { tag: text }, "invalid tag");
	return text;
}
