import type { Digest } from "../../base/digest.ts";
import { isRepositoryName } from "../../core/registry/names.ts";
import { registryError } from "../../core/registry/registry-error.ts";
import type { BlobStat } from "../blobs.ts";
import { authorize, type Exchange, emit } from "../exchange.ts";
import type { UploadChunk } from "../uploads.ts";
import { digestOf } from "./blobs.ts";

/** Begins an upload; with `mount` takes the blob of another repository, with `digest` the whole blob. */
export async function startUpload(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "push");
	const { searchParams } = exchange.url;
	const { uploads } = exchange.registry;
	if (searchParams.has("mount")) {
		const mounted = await mountBlob(exchange, name);
		if (mounted !== undefined) return created(exchange, name, mounted);
	} else if (searchParams.has("digest")) {
		const stored = await uploads.put(name, digestOf(searchParams.get("digest")), chunkOf(exchange));
		pushed(exchange, name, stored);
		return created(exchange, name, stored);
	}
	return progress(name, await uploads.start(name), 0, 202);
}

async function mountBlob(exchange: Exchange, name: string): Promise<BlobStat | undefined> {
	const { searchParams } = exchange.url;
	const digest = digestOf(searchParams.get("mount"));
	const from = searchParams.get("from");
	const { authenticator, blobs } = exchange.registry;
	// Nothing is anybody's own where everybody may read everything: no repository need be named.
	if (from === null && authenticator === undefined) return await linkAny(exchange, name, digest);
	// Without the right to pull there, the blob is as unknown as one that is not there.
	if (from === null || !isRepositoryName(from) || !exchange.identity.allows({ repository: from, action: "pull" }))
		return undefined;
	const mounted = await blobs.mount(from, name, digest);
	if (mounted !== undefined)
		emit(exchange, { action: "mount", repository: name, digest, sizeBytes: mounted.sizeBytes, fromRepository: from });
	return mounted;
}

async function linkAny(exchange: Exchange, name: string, digest: Digest): Promise<BlobStat | undefined> {
	const linked = await exchange.registry.blobs.linkExisting(name, digest);
	if (linked !== undefined) emit(exchange, { action: "mount", repository: name, digest, sizeBytes: linked.sizeBytes });
	return linked;
}

export async function uploadStatus(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "push");
	const id = exchange.params["id"] ?? "";
	return progress(name, id, await exchange.registry.uploads.status(name, id), 204);
}

export async function appendUpload(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "push");
	const id = exchange.params["id"] ?? "";
	const chunk = chunkOf(exchange);
	try {
		return progress(name, id, await exchange.registry.uploads.append(name, id, chunk), 202);
	} catch (error) {
		return await outOfOrder(exchange, name, id, error);
	}
}

export async function finishUpload(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "push");
	const id = exchange.params["id"] ?? "";
	const digest = digestOf(exchange.url.searchParams.get("digest"));
	try {
		const stored = await exchange.registry.uploads.finish(name, id, digest, chunkOf(exchange));
		pushed(exchange, name, stored);
		return created(exchange, name, stored);
	} catch (error) {
		return await outOfOrder(exchange, name, id, error);
	}
}

export async function cancelUpload(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "push");
	await exchange.registry.uploads.cancel(name, exchange.params["id"] ?? "");
	return new Response(null, { status: 204 });
}

function chunkOf(exchange: Exchange): UploadChunk {
	const { headers } = exchange.request;
	const length = headers.get("content-length");
	const range = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/.*)?$/.exec(headers.get("content-range")?.trim() ?? "");
	if (headers.has("content-range") && range === null)
		throw registryError("RANGE_INVALID", { range: headers.get("content-range") });
	const lengthBytes = length === null ? undefined : Number(length);
	const startOffset = range === null ? undefined : Number(range[1]);
	const spanBytes = range === null ? undefined : Number(range[2]) - Number(range[1]) + 1;
	if (spanBytes !== undefined && (spanBytes < 0 || (lengthBytes !== undefined && spanBytes !== lengthBytes)))
		throw registryError("SIZE_INVALID", { range: headers.get("content-range"), length });
	return {
		body: exchange.request.body,
		startOffset,
		lengthBytes: lengthBytes ?? spanBytes,
		onReceived: (sizeBytes) => exchange.registry.metrics.add("gantry_registry_received_bytes_total", {}, sizeBytes),
	};
}

/** 416 says where to go on. */
async function outOfOrder(exchange: Exchange, name: string, id: string, error: unknown): Promise<Response> {
	const isRange = error instanceof Error && "code" in error && error.code === "RANGE_INVALID";
	if (!isRange) throw error;
	return progress(name, id, await exchange.registry.uploads.status(name, id), 416);
}

function progress(name: string, id: string, offset: number, status: number): Response {
	return new Response(null, {
		status,
		headers: {
			Location: `/v2/${name}/blobs/uploads/${id}`,
			// The last byte's position, as the protocol has it: an empty upload and one of a single byte look alike.
			Range: `0-${Math.max(offset - 1, 0)}`,
			"Docker-Upload-UUID": id,
		},
	});
}

function created(exchange: Exchange, name: string, blob: BlobStat): Response {
	return new Response(null, {
		status: 201,
		headers: {
			Location: `/v2/${name}/blobs/${blob.digest}`,
			"Docker-Content-Digest": blob.digest,
			"X-Request-Id": exchange.info.id,
		},
	});
}

function pushed(exchange: Exchange, name: string, blob: BlobStat): void {
	emit(exchange, {
		action: "push",
		repository: name,
		digest: blob.digest,
		sizeBytes: blob.sizeBytes,
		mediaType: "application/octet-stream",
	});
}
