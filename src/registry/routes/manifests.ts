import { MEDIA_TYPE } from "../../api/oci/image.ts";
import { isDigest } from "../../base/digest.ts";
import { MANIFEST_LIMIT_BYTES } from "../../core/registry/manifest.ts";
import { checkReference, isTag } from "../../core/registry/names.ts";
import { registryError } from "../../core/registry/registry-error.ts";
import { authorize, type Exchange, emit, isHead } from "../exchange.ts";
import type { StoredManifest } from "../manifests.ts";
import { matchesETag } from "./blobs.ts";

/** Tags given to one manifest in one request. */
const TAG_LIMIT = 100;

export async function getManifest(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "pull");
	const reference = checkReference(exchange.params["reference"] ?? "");
	const { manifests, pullThrough } = exchange.registry;
	const source = pullThrough ?? manifests;
	const found = await source.get(name, reference);
	const manifest = isDigest(reference) ? found : await negotiate(exchange, found, (digest) => source.get(name, digest));
	const { digest, mediaType, bytes } = manifest;
	const headers = { "Content-Type": mediaType, "Docker-Content-Digest": digest, ETag: `"${digest}"`, Vary: "Accept" };
	if (matchesETag(exchange.request, digest)) return new Response(null, { status: 304, headers });
	if (isHead(exchange)) {
		// Asked by digest, it is about to become part of an index: a collection that runs must not take it now.
		if (isDigest(reference) && mayPush(exchange, name)) await manifests.renew(name, reference);
		return new Response(null, { headers: { ...headers, "Content-Length": String(bytes.length) } });
	}
	const tag = isDigest(reference) ? {} : { tag: reference };
	emit(exchange, { action: "pull", repository: name, digest, mediaType, sizeBytes: bytes.length, ...tag });
	return new Response(bytes.slice(), { headers: { ...headers, "X-Content-Type-Options": "nosniff" } });
}

function mayPush({ registry, identity }: Exchange, name: string): boolean {
	if (registry.isReadOnly || registry.pullThrough !== undefined) return false;
	return identity.allows({ repository: name, action: "push" });
}

/**
 * A client that takes images but no indexes gets, by tag, the image for linux/amd64, as it did before there were indexes.
 * Everything else is given as it is: no other form of it has its digest.
 */
async function negotiate(
	exchange: Exchange,
	found: StoredManifest,
	get: (digest: string) => Promise<StoredManifest>,
): Promise<StoredManifest> {
	const isIndex = found.mediaType === MEDIA_TYPE.ociIndex || found.mediaType === MEDIA_TYPE.dockerManifestList;
	const accepted = acceptedTypes(exchange.request.headers);
	if (
		!isIndex ||
		accepted.size === 0 ||
		accepted.has("*/*") ||
		accepted.has("application/*") ||
		accepted.has(found.mediaType)
	)
		return found;
	const index: {
		manifests?: { mediaType?: string; digest?: string; platform?: { os?: string; architecture?: string } }[];
	} = JSON.parse(Buffer.from(found.bytes).toString());
	const child = index.manifests?.find(
		({ mediaType = "", platform }) =>
			accepted.has(mediaType) && platform?.os === "linux" && platform.architecture === "amd64",
	);
	return child?.digest === undefined ? found : await get(child.digest);
}

function acceptedTypes(headers: Headers): ReadonlySet<string> {
	const types = (headers.get("accept") ?? "").split(",").map((type) => (type.split(";")[0] ?? "").trim().toLowerCase());
	return new Set(types.filter((type) => type !== ""));
}

export async function putManifest(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "push");
	const reference = checkReference(exchange.params["reference"] ?? "");
	const contentType = (exchange.request.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
	const bytes = await readBody(exchange.request);
	const tags = isDigest(reference) ? tagParameters(exchange) : [reference];
	const { digest, parsed, sizeBytes } = await exchange.registry.manifests.put(name, reference, {
		bytes,
		contentType,
		tags,
	});
	for (const tag of tags.length === 0 ? [undefined] : tags)
		emit(exchange, {
			action: "push",
			repository: name,
			digest,
			mediaType: parsed.mediaType,
			sizeBytes,
			...(tag === undefined ? {} : { tag }),
		});
	return new Response(null, {
		status: 201,
		headers: {
			Location: `/v2/${name}/manifests/${digest}`,
			"Docker-Content-Digest": digest,
			...(parsed.subject === undefined ? {} : { "OCI-Subject": parsed.subject }),
			...(isDigest(reference) && tags.length > 0 ? { "OCI-Tag": tags.join(", ") } : {}),
		},
	});
}

/** Tags to give a manifest that is pushed by its digest: `?tag=1&tag=latest` (a draft of the specification's next version). */
function tagParameters(exchange: Exchange): string[] {
	const tags = [...new Set(exchange.url.searchParams.getAll("tag"))];
	if (tags.length > TAG_LIMIT)
		throw registryError("URI_TOO_LONG", { limit: TAG_LIMIT }, `more than ${TAG_LIMIT} tags in one request`);
	const wrong = tags.find((tag) => !isTag(tag));
	if (wrong !== undefined) throw registryError("MANIFEST_INVALID", { tag: wrong }, "invalid tag");
	return tags;
}

/** A body that is too long is still read to its end, which leaves the connection fit for the next request. */
async function readBody(request: Request): Promise<Uint8Array> {
	const tooLarge = () => registryError("TOO_LARGE", { limitBytes: MANIFEST_LIMIT_BYTES }, "manifest too large");
	if (Number(request.headers.get("content-length") ?? 0) > MANIFEST_LIMIT_BYTES) throw tooLarge();
	const pieces: Uint8Array[] = [];
	let sizeBytes = 0;
	for await (const piece of request.body ?? []) {
		sizeBytes += piece.length;
		if (sizeBytes <= MANIFEST_LIMIT_BYTES) pieces.push(piece);
		else pieces.length = 0;
	}
	if (sizeBytes > MANIFEST_LIMIT_BYTES) throw tooLarge();
	return Buffer.concat(pieces);
}

export async function deleteManifest(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "delete");
	const reference = checkReference(exchange.params["reference"] ?? "");
	const { manifests } = exchange.registry;
	if (isDigest(reference)) {
		await manifests.delete(name, reference);
		emit(exchange, { action: "delete", repository: name, digest: reference });
	} else {
		const digest = await manifests.deleteTag(name, reference);
		emit(exchange, { action: "delete", repository: name, tag: reference, digest });
	}
	return new Response(null, { status: 202 });
}
