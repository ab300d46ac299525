/** What a registry must know of a manifest: which blobs and manifests it needs, its subject, what kind of artifact it is. Pure. */

import { MEDIA_TYPE } from "../../api/oci/image.ts";
import { type Digest, isDigest } from "../../base/digest.ts";
import { registryError } from "./registry-error.ts";

export const MANIFEST_LIMIT_BYTES = 4 << 20;
/** Deeper nesting is an attack, not an image. */
const DEPTH_LIMIT = 64;
const REFERENCE_LIMIT = 10_000;

export interface ManifestReference {
	readonly digest: Digest;
	/** undefined where the manifest leaves it out. */
	readonly sizeBytes: number | undefined;
	readonly mediaType: string;
}

export interface ParsedManifest {
	readonly mediaType: string;
	/** The manifest's own, or that of its configuration. */
	readonly artifactType: string | undefined;
	readonly annotations: Readonly<Record<string, string>> | undefined;
	/** Configuration and layers that must be here. Layers that live elsewhere (`urls`) are not among them. */
	readonly blobs: readonly ManifestReference[];
	readonly manifests: readonly ManifestReference[];
	readonly config: ManifestReference | undefined;
	/** What this is about; need not be here. */
	readonly subject: Digest | undefined;
}

const INDEX_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPE.ociIndex, MEDIA_TYPE.dockerManifestList]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([
	MEDIA_TYPE.ociManifest,
	MEDIA_TYPE.dockerManifest,
	"application/vnd.oci.artifact.manifest.v1+json",
]);
const SCHEMA_ONE = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

/**
 * @param contentType of the request, without parameters; empty when it has none
 * @throws RegistryError MANIFEST_INVALID, TOO_LARGE
 */
export function parseManifest(bytes: Uint8Array, contentType: string): ParsedManifest {
	if (bytes.length > MANIFEST_LIMIT_BYTES)
		throw registryError("TOO_LARGE", { limitBytes: MANIFEST_LIMIT_BYTES }, "manifest too large");
	const document = parseDocument(bytes);
	const mediaType = mediaTypeOf(document, contentType);
	if (SCHEMA_ONE.test(mediaType) || document["schemaVersion"] === 1)
		throw registryError("MANIFEST_INVALID", { mediaType }, "schema 1 manifests are not supported");
	const isIndex = INDEX_TYPES.has(mediaType);
	if ((isIndex || MANIFEST_TYPES.has(mediaType)) && !mediaType.includes("artifact") && document["schemaVersion"] !== 2)
		throw invalid("schemaVersion must be 2");
	const config = optionalReference(document["config"], "config");
	if (MANIFEST_TYPES.has(mediaType) && !mediaType.includes("artifact") && config === undefined)
		throw invalid("config is missing");
	const parsed = {
		mediaType,
		artifactType: stringOf(document["artifactType"]) ?? config?.mediaType,
		annotations: annotationsOf(document["annotations"]),
		blobs: [
			...(config === undefined ? [] : [config]),
			...localReferences(document["layers"] ?? document["blobs"], "layers"),
		],
		manifests: localReferences(document["manifests"], "manifests"),
		config,
		subject: optionalReference(document["subject"], "subject")?.digest,
	};
	if (isIndex && !Array.isArray(document["manifests"])) throw invalid("manifests is missing");
	return parsed;
}

type Document = Readonly<Record<string, unknown>>;

function parseDocument(bytes: Uint8Array): Document {
	checkDepth(bytes);
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
	} catch (error) {
		throw registryError("MANIFEST_INVALID", undefined, "manifest is not valid JSON", { cause: error });
	}
	if (!isDocument(value)) throw invalid("not a JSON object");
	return value;
}

/** Before the parser recurses over it. Brackets in strings do not count. */
function checkDepth(bytes: Uint8Array): void {
	let depth = 0;
	let inString = false;
	for (let i = 0; i < bytes.length; i++) {
		const byte = bytes[i];
		if (inString) {
			if (byte === 0x5c) i++;
			else if (byte === 0x22) inString = false;
		} else if (byte === 0x22) inString = true;
		else if (byte === 0x7b || byte === 0x5b) {
			if (++depth > DEPTH_LIMIT) throw invalid("nested too deeply");
		} else if (byte === 0x7d || byte === 0x5d) depth--;
	}
}

function mediaTypeOf(document: Document, contentType: string): string {
	const own = stringOf(document["mediaType"]);
	if (own !== undefined && contentType !== "" && contentType !== "application/json" && own !== contentType)
		throw registryError(
			"MANIFEST_INVALID",
			{ contentType, mediaType: own },
			"mediaType differs from the request's Content-Type",
		);
	const mediaType = own ?? contentType;
	if (mediaType !== "" && mediaType !== "application/json") return mediaType;
	return Array.isArray(document["manifests"]) ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest;
}

function localReferences(value: unknown, field: string): ManifestReference[] {
	if (value === undefined || value === null) return [];
	if (!Array.isArray(value)) throw invalid(`${field} is not a list`);
	if (value.length > REFERENCE_LIMIT) throw invalid(`${field} has more than ${REFERENCE_LIMIT} entries`);
	return value.flatMap((entry: unknown, index) => {
		const reference = referenceOf(entry, `${field}[${index}]`);
		return isDocument(entry) && isForeign(entry) ? [] : [reference];
	});
}

/** Foreign layers are fetched from their own addresses and need not be here. */
function isForeign(descriptor: Document): boolean {
	const urls = descriptor["urls"];
	return Array.isArray(urls) && urls.length > 0;
}

function optionalReference(value: unknown, field: string): ManifestReference | undefined {
	return value === undefined || value === null ? undefined : referenceOf(value, field);
}

function referenceOf(value: unknown, field: string): ManifestReference {
	if (!isDocument(value)) throw invalid(`${field} is not a descriptor`);
	const { digest, size } = value;
	if (typeof digest !== "string" || !isDigest(digest)) throw invalid(`${field} has no valid digest`);
	if (size !== undefined && !(typeof size === "number" && Number.isSafeInteger(size) && size >= 0))
		throw invalid(`${field} has no valid size`);
	return { digest, sizeBytes: size, mediaType: stringOf(value["mediaType"]) ?? "" };
}

function annotationsOf(value: unknown): Readonly<Record<string, string>> | undefined {
	if (!isDocument(value)) return undefined;
	return Object.fromEntries(
		Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
	);
}

function stringOf(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}

function isDocument(value: unknown): value is Document {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string): Error {
	return registryError("MANIFEST_INVALID", { reason: what }, `manifest invalid: ${what}`);
}
