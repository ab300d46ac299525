/**
 * As much of an S3-compatible server as a registry's storage uses, in memory, and as strict: signatures, hashes of bodies, sizes and
 * tags of parts. Misbehaves as told.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type S3Keys, signatureFault } from "./s3-signature.ts";

const LEAST_PART_BYTES = 5 << 20;

interface StoredObject {
	readonly bytes: Uint8Array;
	readonly modified: Date;
}

interface Upload {
	readonly key: string;
	readonly initiated: Date;
	readonly parts: Map<number, Uint8Array>;
}

interface Answer {
	readonly status: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array | string;
}

/** Asked when the request has come whole, and before anything is done. @returns true when it has answered, or broken off */
export type S3Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

export const S3_KEYS: S3Keys = { region: "r", accessKeyId: "id", secretAccessKey: "secret" };

export class S3Server implements Disposable {
	/** `PUT /bucket/key?partNumber=1`; without what is signed into an address. */
	readonly requests: string[] = [];
	readonly uploads = new Map<string, Upload>();
	misbehave: S3Misbehaviour = () => false;
	/** Bodies that are broken off after so many bytes, so many times. */
	cut: { readonly afterBytes: number; times: number } | undefined;
	/** How far its clock is ahead. */
	clockOffsetMs = 0;
	/** Objects that were sent in parts side by side, at the most. */
	mostUploads = 0;
	readonly #objects = new Map<string, StoredObject>();
	readonly #server = createServer((request, response) => void this.#serve(request, response));
	#count = 0;

	private constructor(
		private readonly own: S3Keys,
		private readonly pageSize: number,
	) {}

	static async start({ keys = S3_KEYS, pageSize = 1000 } = {}): Promise<S3Server> {
		const server = new S3Server(keys, pageSize);
		await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
		return server;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get endpoint(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	/** Of complete objects, sorted. */
	keys(): string[] {
		return [...this.#objects.keys()].sort();
	}

	/** Of objects that were begun and neither completed nor given up. */
	unfinished(): string[] {
		return [...this.uploads.values()].map(({ key }) => key).sort();
	}

	store(key: string, bytes: Uint8Array): void {
		this.#objects.set(key, { bytes, modified: new Date() });
	}

	/** Begins an object as another client would. */
	begin(key: string, ageMs = 0): void {
		this.uploads.set(`upload-${++this.#count}`, { key, initiated: new Date(Date.now() - ageMs), parts: new Map() });
	}

	[Symbol.dispose](): void {
		this.#server.closeAllConnections();
		this.#server.close();
	}

	async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const pieces: Uint8Array[] = [];
		try {
			let received = 0;
			for await (const piece of request) {
				pieces.push(piece);
				received += piece.length;
				if (this.cut === undefined || received <= this.cut.afterBytes || this.cut.times === 0) continue;
				this.cut.times--;
				request.socket.destroy();
				return;
			}
		} catch {
			// The client broke off.
			return;
		}
		const bytes = Buffer.concat(pieces);
		this.requests.push(`${request.method} ${(request.url ?? "").replace(/[?&]X-Amz-.*$/, "")}`);
		if (this.misbehave(request, response)) return;
		const fault = await signatureFault(request, bytes, this.own, Date.now() + this.clockOffsetMs);
		const { status, headers, body } = fault === undefined ? this.#answer(request, bytes) : failure(403, fault);
		response.writeHead(status, headers);
		response.end(request.method === "HEAD" ? undefined : body);
	}

	#answer(request: IncomingMessage, bytes: Uint8Array): Answer {
		const url = new URL(request.url ?? "/", "http://stand-in");
		// The bucket is the path's first part, or the host's.
		const isVirtual = (request.headers.host ?? "").startsWith("b.");
		const path = decodeURIComponent(url.pathname.slice(1));
		const bucket = isVirtual ? "b" : path.split("/", 1).join("");
		const key = isVirtual ? path : path.slice(bucket.length + 1);
		const query = url.searchParams;
		const method = request.method ?? "GET";
		if (bucket !== "b") return failure(404, "NoSuchBucket");
		if (method === "GET" && query.has("list-type")) return list(this.#objects, query, this.pageSize);
		if (method === "GET" && query.has("uploads")) return this.#listUploads(query);
		if (method === "POST" && query.has("uploads")) {
			this.begin(key);
			this.mostUploads = Math.max(this.mostUploads, this.uploads.size);
			const id = `upload-${this.#count}`;
			return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
		}
		const id = query.get("uploadId");
		if (id !== null) return this.#multipart(method, query, id, key, bytes);
		return this.#single(method, key, bytes, request.headers.range);
	}

	#multipart(method: string, query: URLSearchParams, id: string, key: string, bytes: Uint8Array): Answer {
		const upload = this.uploads.get(id);
		if (upload === undefined || upload.key !== key) return failure(404, "NoSuchUpload");
		if (method === "PUT") {
			upload.parts.set(Number(query.get("partNumber")), bytes);
			return { status: 200, headers: { ETag: tagOf(bytes) } };
		}
		if (method === "DELETE") {
			this.uploads.delete(id);
			return { status: 204 };
		}
		const wanted = [
			...Buffer.from(bytes)
				.toString()
				.matchAll(/<Part>(.*?)<\/Part>/gs),
		].map(([, text = ""]) => ({
			number: Number(/<PartNumber>(\d+)</.exec(text)?.[1]),
			tag: (/<ETag>(.*?)</.exec(text)?.[1] ?? "").replaceAll("&quot;", '"'),
		}));
		const parts = wanted.map(({ number }) => upload.parts.get(number));
		if (wanted.length === 0) return failure(400, "MalformedXML");
		if (wanted.some(({ number }, at) => number <= (wanted[at - 1]?.number ?? 0)))
			return failure(400, "InvalidPartOrder");
		if (parts.some((part, at) => part === undefined || tagOf(part) !== wanted[at]?.tag))
			return failure(400, "InvalidPart");
		const whole = parts.flatMap((part) => part ?? []);
		if (whole.slice(0, -1).some(({ length }) => length < LEAST_PART_BYTES)) return failure(400, "EntityTooSmall");
		this.#objects.set(key, { bytes: Buffer.concat(whole), modified: new Date() });
		this.uploads.delete(id);
		return xml(`<CompleteMultipartUploadResult><Key>${escaped(key)}</Key></CompleteMultipartUploadResult>`);
	}

	#single(method: string, key: string, bytes: Uint8Array, range: string | undefined): Answer {
		if (method === "PUT") {
			this.#objects.set(key, { bytes, modified: new Date() });
			return { status: 200, headers: { ETag: tagOf(bytes) } };
		}
		const found = this.#objects.get(key);
		if (method === "DELETE") {
			this.#objects.delete(key);
			return { status: 204 };
		}
		if (found === undefined) return failure(404, "NoSuchKey");
		const size = found.bytes.length;
		const headers = { "Last-Modified": found.modified.toUTCString(), ETag: tagOf(found.bytes) };
		const [, first, last = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
		if (first === undefined)
			return { status: 200, headers: { ...headers, "Content-Length": String(size) }, body: found.bytes };
		const end = last === "" ? size : Math.min(size, Number(last) + 1);
		if (Number(first) >= size) return failure(416, "InvalidRange");
		const part = found.bytes.slice(Number(first), end);
		return {
			status: 206,
			headers: {
				...headers,
				"Content-Length": String(part.length),
				"Content-Range": `bytes ${first}-${end - 1}/${size}`,
			},
			body: part,
		};
	}

	/** Two to a page. */
	#listUploads(query: URLSearchParams): Answer {
		const prefix = query.get("prefix") ?? "";
		const after = query.get("upload-id-marker") ?? "";
		const rest = [...this.uploads].filter(([id, { key }]) => key.startsWith(prefix) && id > after).sort();
		const page = rest.slice(0, 2);
		const [last] = page.at(-1) ?? [];
		const more = rest.length > page.length;
		const uploads = page.map(
			([id, { key, initiated }]) =>
				`<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId><Initiated>${initiated.toISOString()}</Initiated></Upload>`,
		);
		const marker = more
			? `<NextKeyMarker>${escaped(page.at(-1)?.[1].key ?? "")}</NextKeyMarker><NextUploadIdMarker>${last}</NextUploadIdMarker>`
			: "";
		return xml(
			`<ListMultipartUploadsResult>${marker}<IsTruncated>${more}</IsTruncated>${uploads.join("")}</ListMultipartUploadsResult>`,
		);
	}
}

function list(objects: ReadonlyMap<string, StoredObject>, query: URLSearchParams, pageSize: number): Answer {
	const prefix = query.get("prefix") ?? "";
	const delimiter = query.get("delimiter") ?? "";
	const limit = Math.min(pageSize, Number(query.get("max-keys") ?? pageSize));
	const after = Buffer.from(query.get("continuation-token") ?? "", "base64").toString();
	const entries = new Map<string, string>();
	for (const key of [...objects.keys()].sort()) {
		if (!key.startsWith(prefix)) continue;
		const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
		const directory = key.slice(0, cut + 1);
		if (cut < 0) entries.set(key, `<Contents><Key>${escaped(key)}</Key><Size>1</Size></Contents>`);
		else entries.set(directory, `<CommonPrefixes><Prefix>${escaped(directory)}</Prefix></CommonPrefixes>`);
	}
	const rest = [...entries.keys()].filter((name) => name > after);
	const page = rest.slice(0, limit);
	const more = rest.length > page.length;
	// With all that a token may have and an address may not.
	const token = more
		? `<NextContinuationToken>${Buffer.from(page.at(-1) ?? "").toString("base64")}</NextContinuationToken>`
		: "";
	const body = page.map((name) => entries.get(name) ?? "").join("");
	return xml(
		`<ListBucketResult><Prefix>${escaped(prefix)}</Prefix><IsTruncated>${more}</IsTruncated>${token}${body}</ListBucketResult>`,
	);
}

function tagOf(bytes: Uint8Array): string {
	return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function escaped(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function xml(body: string, status = 200): Answer {
	return {
		status,
		headers: { "Content-Type": "application/xml" },
		body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}`,
	};
}

export function failure(status: number, code: string): Answer {
	return xml(`<Error><Code>${code}</Code><Message>It is ${code}</Message></Error>`, status);
}

/** Answers so, instead of what was asked for. */
export function refuse(response: ServerResponse, status: number, code: string): true {
	const { headers, body } = failure(status, code);
	response.writeHead(status, headers).end(body);
	return true;
}
