import { type Digest, isDigest } from "../../base/digest.ts";
import { registryError } from "../../core/registry/registry-error.ts";
import { authorize, type Exchange, emit, isHead } from "../exchange.ts";
import type { ArrivingBlob } from "../proxy/pull-through.ts";

export async function getBlob(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "pull");
	const digest = digestOf(exchange.params["digest"]);
	const { blobs, pullThrough, metrics, isReadOnly } = exchange.registry;
	// Who asks whether a blob is here is about to push something that needs it.
	const mayPush = isHead(exchange) && !isReadOnly && exchange.identity.allows({ repository: name, action: "push" });
	const found: ArrivingBlob = await (pullThrough?.blob(name, digest) ??
		(mayPush ? blobs.rely(name, digest) : blobs.stat(name, digest)));
	const headers: Record<string, string> = {
		"Content-Type": "application/octet-stream",
		"Docker-Content-Digest": digest,
		ETag: `"${digest}"`,
		"Cache-Control": "max-age=31536000, immutable",
		"Accept-Ranges": "bytes",
		// What lies here is anybody's: a browser must neither show nor run it.
		"Content-Disposition": "attachment",
		"X-Content-Type-Options": "nosniff",
	};
	if (matchesETag(exchange.request, digest)) return new Response(null, { status: 304, headers });
	if (isHead(exchange)) {
		return new Response(null, { headers: { ...headers, "Content-Length": String(found.sizeBytes) } });
	}
	emit(exchange, { action: "pull", repository: name, digest, sizeBytes: found.sizeBytes });
	const address = found.open === undefined ? await blobs.addressOf(digest) : undefined;
	if (address !== undefined)
		return new Response(null, { status: 307, headers: { Location: address, "Docker-Content-Digest": digest } });
	const range = parseRange(exchange.request.headers, found.sizeBytes, digest);
	if (range === "unsatisfiable")
		return new Response(null, { status: 416, headers: { "Content-Range": `bytes */${found.sizeBytes}` } });
	const { start, end } = range ?? { start: 0, end: found.sizeBytes };
	const body = await (found.open?.({ start, end }) ?? blobs.open(digest, { start, end }));
	metrics.add("gantry_registry_served_bytes_total", {}, end - start);
	if (range === undefined) return new Response(body, { headers });
	return new Response(body, {
		status: 206,
		headers: { ...headers, "Content-Range": `bytes ${start}-${end - 1}/${found.sizeBytes}` },
	});
}

export async function deleteBlob(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "delete");
	const digest = digestOf(exchange.params["digest"]);
	await exchange.registry.blobs.unlink(name, digest);
	emit(exchange, { action: "delete", repository: name, digest });
	return new Response(null, { status: 202, headers: { "Docker-Content-Digest": digest } });
}

/** @throws RegistryError DIGEST_INVALID */
export function digestOf(text: string | null | undefined): Digest {
	if (typeof text !== "string" || !isDigest(text))
		throw registryError("DIGEST_INVALID", { digest: text ?? "" }, "digest is missing or malformed");
	return text;
}

/** Whether the client says that it has this already. */
export function matchesETag(request: Request, digest: Digest): boolean {
	const header = request.headers.get("if-none-match");
	if (header === null) return false;
	return header
		.split(",")
		.some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "").replaceAll('"', "") === digest);
}

/** One range; several, or units that nobody knows, are answered with everything, as RFC 9110 allows. */
export function parseRange(
	headers: Headers,
	sizeBytes: number,
	digest: Digest,
): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined {
	const match = /^bytes=(\d*)-(\d*)$/.exec(headers.get("range")?.trim() ?? "");
	const condition = headers.get("if-range");
	if (match === null || (condition !== null && condition.replaceAll('"', "") !== digest)) return undefined;
	const [, first = "", last = ""] = match;
	if (first === "") {
		if (last === "") return undefined;
		const length = Math.min(Number(last), sizeBytes);
		return length === 0 ? "unsatisfiable" : { start: sizeBytes - length, end: sizeBytes };
	}
	const start = Number(first);
	const end = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
	if (last !== "" && Number(last) < start) return undefined;
	return start >= sizeBytes ? "unsatisfiable" : { start, end };
}
