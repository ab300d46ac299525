/** As much of an S3-compatible server as a registry's storage uses, in memory. Signatures are not checked, only that there are some. */
interface StoredObject {
	readonly bytes: Uint8Array;
	readonly modified: Date;
}

export interface S3Server extends Disposable {
	readonly endpoint: string;
	readonly keys: () => string[];
	/** Objects that were sent in parts side by side, at the most. */
	readonly mostUploads: () => number;
}

export function startS3Server(options: { readonly pageSize?: number } = {}): S3Server {
	const objects = new Map<string, StoredObject>();
	const uploads = new Map<string, Map<number, Uint8Array>>();
	let count = 0;
	let most = 0;
	const server = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		maxRequestBodySize: Number.MAX_SAFE_INTEGER,
		async fetch(request) {
			const url = new URL(request.url);
			if (!(request.headers.get("authorization") ?? "").startsWith("AWS4-HMAC-SHA256"))
				return failure(403, "AccessDenied");
			const key = decodeURIComponent(url.pathname).split("/").slice(2).join("/");
			const query = url.searchParams;
			if (request.method === "GET" && query.has("list-type")) return list(objects, query, options.pageSize ?? 1000);
			if (request.method === "POST" && query.has("uploads")) {
				const id = `upload-${++count}`;
				uploads.set(id, new Map());
				most = Math.max(most, uploads.size);
				return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
			}
			const parts = uploads.get(query.get("uploadId") ?? "");
			if (query.has("uploadId")) {
				if (parts === undefined) return failure(404, "NoSuchUpload");
				if (request.method !== "PUT") uploads.delete(query.get("uploadId") ?? "");
				return await multipart(request, query, key, parts, objects);
			}
			return await single(request, key, objects);
		},
	});
	return {
		endpoint: `http://127.0.0.1:${server.port}`,
		keys: () => [...objects.keys()].sort(),
		mostUploads: () => most,
		[Symbol.dispose]: () => void server.stop(true),
	};
}

async function multipart(
	request: Request,
	query: URLSearchParams,
	key: string,
	parts: Map<number, Uint8Array>,
	objects: Map<string, StoredObject>,
): Promise<Response> {
	if (request.method === "PUT") {
		const number = Number(query.get("partNumber"));
		parts.set(number, await request.bytes());
		return new Response(null, { headers: { ETag: `"part-${number}"` } });
	}
	if (request.method === "DELETE") return new Response(null, { status: 204 });
	const numbers = [...parts.keys()].sort((a, b) => a - b);
	const bytes = Buffer.concat(numbers.map((number) => parts.get(number) ?? new Uint8Array()));
	objects.set(key, { bytes, modified: new Date() });
	return xml(`<CompleteMultipartUploadResult><Key>${key}</Key><ETag>"x"</ETag></CompleteMultipartUploadResult>`);
}

async function single(request: Request, key: string, objects: Map<string, StoredObject>): Promise<Response> {
	if (request.method === "PUT") {
		objects.set(key, { bytes: await request.bytes(), modified: new Date() });
		return new Response(null, { headers: { ETag: '"x"' } });
	}
	const found = objects.get(key);
	if (request.method === "DELETE") {
		objects.delete(key);
		return new Response(null, { status: 204 });
	}
	if (found === undefined) return failure(404, "NoSuchKey");
	const headers = { "Last-Modified": found.modified.toUTCString(), ETag: '"x"' };
	if (request.method === "HEAD")
		return new Response(null, { headers: { ...headers, "Content-Length": String(found.bytes.length) } });
	const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
	if (range === null) return new Response(found.bytes.slice(), { headers });
	const end = range[2] === "" ? found.bytes.length : Number(range[2]) + 1;
	return new Response(found.bytes.slice(Number(range[1]), end), { status: 206, headers });
}

function list(objects: Map<string, StoredObject>, query: URLSearchParams, pageSize: number): Response {
	const prefix = query.get("prefix") ?? "";
	const delimiter = query.get("delimiter") ?? "";
	const limit = Math.min(pageSize, Number(query.get("max-keys") ?? pageSize));
	const after = query.get("continuation-token") ?? "";
	const entries = new Map<string, string>();
	for (const key of [...objects.keys()].sort()) {
		if (!key.startsWith(prefix)) continue;
		const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
		if (cut < 0)
			entries.set(key, `<Contents><Key>${key}</Key><Size>${objects.get(key)?.bytes.length}</Size></Contents>`);
		else
			entries.set(key.slice(0, cut + 1), `<CommonPrefixes><Prefix>${key.slice(0, cut + 1)}</Prefix></CommonPrefixes>`);
	}
	const rest = [...entries.keys()].filter((name) => name > after);
	const page = rest.slice(0, limit);
	const more = rest.length > page.length;
	const token = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
	const body = page.map((name) => entries.get(name) ?? "").join("");
	return xml(
		`<ListBucketResult><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${token}${body}</ListBucketResult>`,
	);
}

function xml(body: string): Response {
	return new Response(`<?xml version="1.0" encoding="UTF-8"?>${body}`, {
		headers: { "Content-Type": "application/xml" },
	});
}

function failure(status: number, code: string): Response {
	return new Response(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`, { status });
}
