import { SystemError } from "../base/errors.ts";
import type { SocketChannel } from "./socket-channel.ts";

/** HTTP/1.1 on one connection, one request at a time (RFC 9112), as far as an Engine API client needs it. */
export interface HttpRequest {
	method: string;
	/** Path and query. */
	target: string;
	headers: Readonly<Record<string, string>>;
	/** Bytes go with a Content-Length, an iterable goes chunked while the answer is already being read. */
	body?: Uint8Array | AsyncIterable<Uint8Array>;
}

type Framing = { kind: "none" } | { kind: "length"; restBytes: number } | { kind: "chunked" } | { kind: "until-close" };

const MAX_HEAD_BYTES = 256 * 1024;
const NO_BODY: Framing = { kind: "none" };
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class HttpResponse {
	#chunkRestBytes = 0;
	#isFirstChunk = true;
	#isEnded = false;
	#framing: Framing;

	constructor(
		readonly status: number,
		/** Names in lower case; repeated fields are joined by ", ". */
		readonly headers: ReadonlyMap<string, string>,
		readonly channel: SocketChannel,
		framing: Framing,
		private readonly onEnd: () => void,
	) {
		this.#framing = framing;
		if (framing.kind === "none" || (framing.kind === "length" && framing.restBytes === 0)) this.#end();
	}

	/** True when the connection is now a raw stream: `channel` is the caller's. */
	get isUpgraded(): boolean {
		if (this.status === 101) return true;
		const type = this.headers.get("content-type") ?? "";
		return this.#framing.kind === "until-close" && type.startsWith("application/vnd.docker.");
	}

	/** The next bytes of the body, never empty; undefined at its end. */
	async read(): Promise<Uint8Array | undefined> {
		switch (this.#framing.kind) {
			case "none":
				return undefined;
			case "length":
				return await this.#readLength(this.#framing);
			case "chunked":
				return await this.#readChunked();
			case "until-close": {
				const bytes = await this.channel.read();
				if (bytes === undefined) this.#end();
				return bytes;
			}
		}
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
		for (;;) {
			const bytes = await this.read();
			if (bytes === undefined) return;
			yield bytes;
		}
	}

	async bytes(): Promise<Uint8Array> {
		const first = await this.read();
		if (first === undefined) return new Uint8Array(0);
		const parts = [first];
		for await (const part of this) parts.push(part);
		return parts.length === 1 ? first : Buffer.concat(parts);
	}

	async text(): Promise<string> {
		return decoder.decode(await this.bytes());
	}

	/** @throws SystemError when the body is not JSON */
	async json<T>(): Promise<T> {
		const text = await this.text();
		try {
			return JSON.parse(text) as T;
		} catch (cause) {
			throw new SystemError("the daemon's answer is not JSON", { cause });
		}
	}

	#end(): void {
		this.#framing = NO_BODY;
		if (this.#isEnded) return;
		this.#isEnded = true;
		this.onEnd();
	}

	async #readLength(framing: { kind: "length"; restBytes: number }): Promise<Uint8Array | undefined> {
		if (framing.restBytes === 0) return undefined;
		const bytes = await this.#readAtMost(framing.restBytes);
		framing.restBytes -= bytes.length;
		if (framing.restBytes === 0) this.#end();
		return bytes;
	}

	async #readChunked(): Promise<Uint8Array | undefined> {
		if (this.#chunkRestBytes === 0) {
			if (!this.#isFirstChunk) await readLine(this.channel);
			this.#isFirstChunk = false;
			const size = Number.parseInt(await readLine(this.channel), 16);
			if (!(size >= 0)) throw new SystemError("malformed chunk in the daemon's answer");
			if (size === 0) {
				while ((await readLine(this.channel)) !== "");
				this.#end();
				return undefined;
			}
			this.#chunkRestBytes = size;
		}
		const bytes = await this.#readAtMost(this.#chunkRestBytes);
		this.#chunkRestBytes -= bytes.length;
		return bytes;
	}

	async #readAtMost(limitBytes: number): Promise<Uint8Array> {
		const bytes = await this.channel.read();
		if (bytes === undefined) throw new SystemError("the daemon closed the connection in the middle of an answer");
		if (bytes.length <= limitBytes) return bytes;
		this.channel.unread(bytes.subarray(limitBytes));
		return bytes.subarray(0, limitBytes);
	}
}

/**
 * Sends a request and reads the head of its answer. `onReusable` is called once when the answer has been read to its end and
 * the connection may carry another request; when it may not, `onFinished` alone is called.
 */
export async function exchange(
	channel: SocketChannel,
	request: HttpRequest,
	onEnd: (isReusable: boolean) => void,
): Promise<HttpResponse> {
	const upload = { isDone: true, error: undefined as unknown };
	const isStreamed = request.body !== undefined && !(request.body instanceof Uint8Array);
	const head = encodeHead(request);
	if (isStreamed) {
		upload.isDone = false;
		await channel.write(head);
		sendChunks(channel, request.body as AsyncIterable<Uint8Array>).then(
			() => {
				upload.isDone = true;
			},
			(error) => {
				upload.error = error;
				// The body's own source failed: the daemon must not take what it got for the whole.
				if (channel.isOpen) channel.destroy();
			},
		);
	} else await channel.write(request.body === undefined ? head : Buffer.concat([head, request.body as Uint8Array]));
	try {
		const { status, headers } = await readHead(channel);
		const framing = framingOf(request.method, status, headers);
		return new HttpResponse(status, headers, channel, framing, () =>
			onEnd(upload.isDone && framing.kind !== "until-close" && headers.get("connection")?.toLowerCase() !== "close"),
		);
	} catch (error) {
		channel.destroy();
		throw upload.error ?? error;
	}
}

function encodeHead(request: HttpRequest): Uint8Array {
	let head = `${request.method} ${request.target} HTTP/1.1\r\n`;
	for (const [name, value] of Object.entries(request.headers)) head += `${name}: ${value}\r\n`;
	if (request.body instanceof Uint8Array) head += `Content-Length: ${request.body.length}\r\n`;
	else if (request.body !== undefined) head += "Transfer-Encoding: chunked\r\n";
	else if (request.method !== "GET" && request.method !== "HEAD") head += "Content-Length: 0\r\n";
	return encoder.encode(`${head}\r\n`);
}

async function sendChunks(channel: SocketChannel, body: AsyncIterable<Uint8Array>): Promise<void> {
	for await (const bytes of body) {
		if (bytes.length === 0) continue;
		await channel.write(`${bytes.length.toString(16)}\r\n`);
		await channel.write(bytes);
		await channel.write("\r\n");
	}
	await channel.write("0\r\n\r\n");
}

async function readHead(channel: SocketChannel): Promise<{ status: number; headers: Map<string, string> }> {
	for (;;) {
		const lines = decoder.decode(await readUntilBlankLine(channel)).split("\r\n");
		const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(lines[0] ?? "")?.[1]);
		if (!(status >= 100)) throw new SystemError("the daemon's answer is not HTTP");
		const headers = new Map<string, string>();
		for (const line of lines.slice(1)) {
			const colon = line.indexOf(":");
			if (colon <= 0) continue;
			const name = line.slice(0, colon).toLowerCase();
			const value = line.slice(colon + 1).trim();
			const earlier = headers.get(name);
			headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
		}
		if (status >= 200 || status === 101) return { status, headers };
	}
}

async function readUntilBlankLine(channel: SocketChannel): Promise<Uint8Array> {
	let head: Buffer = Buffer.alloc(0);
	for (;;) {
		const bytes = await channel.read();
		if (bytes === undefined) throw new SystemError("the daemon closed the connection without an answer");
		head = head.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([head, bytes]);
		const end = head.indexOf("\r\n\r\n");
		if (end >= 0) {
			channel.unread(head.subarray(end + 4));
			return head.subarray(0, end);
		}
		if (head.length > MAX_HEAD_BYTES) throw new SystemError("the daemon's answer has too large a head");
	}
}

/** One line without its end; for chunk heads and trailers, which come in the same packet as data nearly always. */
async function readLine(channel: SocketChannel): Promise<string> {
	let line = "";
	for (;;) {
		const bytes = await channel.read();
		if (bytes === undefined) throw new SystemError("the daemon closed the connection in the middle of an answer");
		const end = bytes.indexOf(10);
		if (end >= 0) {
			channel.unread(bytes.subarray(end + 1));
			return (line + decoder.decode(bytes.subarray(0, end))).replace(/\r$/, "");
		}
		line += decoder.decode(bytes);
		if (line.length > MAX_HEAD_BYTES) throw new SystemError("malformed chunk in the daemon's answer");
	}
}

function framingOf(method: string, status: number, headers: ReadonlyMap<string, string>): Framing {
	if (status === 101) return { kind: "until-close" };
	if (method === "HEAD" || status === 204 || status === 304) return NO_BODY;
	if (headers.get("transfer-encoding")?.toLowerCase().includes("chunked")) return { kind: "chunked" };
	const length = headers.get("content-length");
	if (length === undefined) return { kind: "until-close" };
	const restBytes = Number(length);
	if (!Number.isSafeInteger(restBytes) || restBytes < 0)
		throw new SystemError("malformed Content-Length in the daemon's answer");
	return { kind: "length", restBytes };
}
