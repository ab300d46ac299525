/** Manifests and indexes from registries, which may be hostile: checked before anything else is done with them. */
import { type Descriptor, type Index, type Manifest, MEDIA_TYPE, type Platform } from "../../api/oci/image.ts";
import { isDigest } from "../../base/digest.ts";
import { InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import { formatPlatform, suitsPlatform } from "../image/platform.ts";

/** The specification asks registries for 4 MiB at least. */
export const MANIFEST_LIMIT_BYTES = 4 << 20;
export const CONFIG_LIMIT_BYTES = 8 << 20;
/** More layers than any file system stacks. */
const LAYER_LIMIT = 512;
const INDEX_LIMIT = 10_000;

export const MANIFEST_TYPES: readonly string[] = [
	MEDIA_TYPE.ociIndex,
	MEDIA_TYPE.dockerManifestList,
	MEDIA_TYPE.ociManifest,
	MEDIA_TYPE.dockerManifest,
];

/** The `Accept` header. Registries deny what is not named in it, even to who takes anything (docker-registry 2.8 does OCI's types). */
export const ACCEPTED_MANIFESTS: string = [...MANIFEST_TYPES, "*/*;q=0.1"].join(", ");

const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

export type ParsedManifest =
	| { readonly kind: "image"; readonly manifest: Manifest }
	| { readonly kind: "index"; readonly index: Index };

/**
 * @param mediaType as the registry says; what the manifest says itself must agree, because the two read differently otherwise
 * @throws InvalidParameterError
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): ParsedManifest {
	const value = parseObject(bytes);
	const own = value["mediaType"];
	if (SCHEMA_1.test(mediaType) || value["schemaVersion"] === 1) throw new InvalidParameterError(SCHEMA_1_MESSAGE);
	if (value["schemaVersion"] !== 2) throw new InvalidParameterError("unsupported manifest format");
	const type = typeof own === "string" && own !== "" ? own : mediaType;
	const isIndex = isIndexType(type) || (!isImageType(type) && value["manifests"] !== undefined);
	if (isIndex ? value["layers"] !== undefined : value["manifests"] !== undefined)
		throw new InvalidParameterError("unsupported manifest format: both an index and a manifest");
	if (isIndexType(mediaType) !== isIndex && (isIndexType(mediaType) || isImageType(mediaType)))
		throw new InvalidParameterError(`manifest is no ${mediaType}, as the registry said`);
	return isIndex ? { kind: "index", index: checkIndex(value) } : { kind: "image", manifest: checkImage(value) };
}

const SCHEMA_1_MESSAGE =
	"Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. More information at https://docs.docker.com/go/deprecated-image-specs/";

export function isIndexType(type: string): boolean {
	return type === MEDIA_TYPE.ociIndex || type === MEDIA_TYPE.dockerManifestList;
}

function isImageType(type: string): boolean {
	return type === MEDIA_TYPE.ociManifest || type === MEDIA_TYPE.dockerManifest;
}

/** What the registry should be told a manifest is. */
export function mediaTypeOf(bytes: Uint8Array, said: string): string {
	const { mediaType, manifests } = parseObject(bytes);
	if (typeof mediaType === "string" && MANIFEST_TYPES.includes(mediaType)) return mediaType;
	if (MANIFEST_TYPES.includes(said)) return said;
	return manifests === undefined ? MEDIA_TYPE.ociManifest : MEDIA_TYPE.ociIndex;
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
	let value: unknown;
	try {
		value = JSON.parse(Buffer.from(bytes).toString("utf8"));
	} catch (cause) {
		throw new InvalidParameterError("invalid manifest: not JSON", { cause });
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new InvalidParameterError("invalid manifest: no object");
	return value as Record<string, unknown>;
}

function checkIndex(value: Record<string, unknown>): Index {
	const manifests = value["manifests"];
	if (!Array.isArray(manifests) || manifests.length > INDEX_LIMIT || !manifests.every(isDescriptor))
		throw new InvalidParameterError("invalid image index: manifests is no list of descriptors");
	return { ...(value as unknown as Index), manifests: manifests.map(withoutNullPlatform) };
}

/** Null says as much as nothing. */
function withoutNullPlatform(descriptor: Descriptor): Descriptor {
	if ((descriptor.platform ?? undefined) !== undefined) return descriptor;
	const { platform: _, ...rest } = descriptor;
	return rest;
}

function checkImage(value: Record<string, unknown>): Manifest {
	const { config, layers } = value;
	if (!isDescriptor(config)) throw new InvalidParameterError("invalid image manifest: config is no descriptor");
	if (!Array.isArray(layers) || layers.length > LAYER_LIMIT || !layers.every(isDescriptor))
		throw new InvalidParameterError("invalid image manifest: layers is no list of descriptors");
	return value as unknown as Manifest;
}

function isDescriptor(value: unknown): value is Descriptor {
	if (typeof value !== "object" || value === null) return false;
	const { digest, size, mediaType, urls, platform } = value as Record<string, unknown>;
	if (typeof digest !== "string" || !isDigest(digest) || typeof mediaType !== "string") return false;
	if (!Number.isSafeInteger(size) || (size as number) < 0) return false;
	if (urls !== undefined && urls !== null && !(Array.isArray(urls) && urls.every((url) => typeof url === "string")))
		return false;
	return platform === undefined || platform === null || isPlatform(platform);
}

function isPlatform(value: unknown): boolean {
	const { os, architecture, variant } = value as Record<string, unknown>;
	return typeof os === "string" && typeof architecture === "string" && ["string", "undefined"].includes(typeof variant);
}

/** What the docker tools once wrote for configurations, and some registries still have. */
const CONFIG_TYPES: ReadonlySet<string> = new Set([
	MEDIA_TYPE.ociConfig,
	MEDIA_TYPE.dockerConfig,
	"text/html; charset=utf-8",
	"text/html",
	"application/octet-stream",
	"application/json",
	"",
]);

/** @throws InvalidParameterError for charts, signatures, plugins and other things that are no images */
export function checkIsImage({ config, artifactType }: Manifest): void {
	if (CONFIG_TYPES.has(config.mediaType) && (artifactType ?? "") === "") return;
	if (config.mediaType === "application/vnd.docker.plugin.v1+json")
		throw new InvalidParameterError(`Encountered remote "${config.mediaType}"(plugin) when fetching`);
	const type = (artifactType ?? "") === "" ? config.mediaType : artifactType;
	throw new InvalidParameterError(`Encountered remote "${type}"(unknown) when fetching`);
}

/**
 * The manifest of an index that suits the platform best: with its variant, else with none, else of another one that is older.
 * @throws NotFoundError
 */
export function choosePlatform(index: Index, platform: Platform): Descriptor {
	const candidates = index.manifests.filter(
		(descriptor) => descriptor.platform !== undefined && runsOn(platform, descriptor.platform),
	);
	const chosen = candidates.sort((a, b) => rank(platform, b) - rank(platform, a))[0];
	// An index without platforms at all has one image in it.
	const [only, second] = index.manifests.filter(isImageDescriptor);
	if (chosen === undefined && only?.platform === undefined && only !== undefined && second === undefined) return only;
	if (chosen === undefined)
		throw new NotFoundError(`no matching manifest for ${formatPlatform(platform)} in the manifest list entries`);
	return chosen;
}

function isImageDescriptor({ mediaType }: Descriptor): boolean {
	return isImageType(mediaType) || isIndexType(mediaType);
}

/** 64-bit ARM runs as v8, 32-bit as v7 unless something else is asked for; an older one runs on a newer. */
function runsOn(wanted: Platform, offered: Platform): boolean {
	if (suitsPlatform(wanted, offered)) return true;
	if (wanted.os !== offered.os || wanted.architecture !== offered.architecture || wanted.architecture !== "arm")
		return false;
	return armVersion(offered) <= armVersion(wanted);
}

function rank(wanted: Platform, { platform }: Descriptor): number {
	if ((platform?.variant ?? "") === (wanted.variant ?? "")) return 100;
	return platform === undefined ? 0 : armVersion(platform);
}

function armVersion({ variant }: Platform): number {
	return Number(/^v(\d+)/.exec(variant ?? "")?.[1] ?? 7);
}

const FOREIGN = /^application\/vnd\.(?:docker\.image\.rootfs\.foreign\.diff|oci\.image\.layer\.nondistributable\.v1)\./;

/** Layers that registries need not have; they lie at the descriptor's addresses. */
export function isForeign({ mediaType }: Descriptor): boolean {
	return FOREIGN.test(mediaType);
}
