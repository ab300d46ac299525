/** Puts a reply on the wire: heads, chunked bodies with backpressure, streams of documents. */
import { once } from "node:events";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { CancelledError, errorMessage } from "../../base/errors.ts";
import { interruptible } from "../../base/interruptible.ts";
import type { Exchange } from "./connection.ts";
import { type JsonValue, jsonText } from "./json-text.ts";
import type { LinesReply, Reply, ReplyHeaders, StreamReply, UpgradeReply } from "./reply.ts";
import { spliceSession } from "./session-splice.ts";
import { acceptWebSocket } from "./websocket.ts";

export interface ReplyContext {
	/** Headers of every reply. */
	readonly commonHeaders: ReplyHeaders;
	/** What an error becomes that is known before the head is out. */
	readonly errorReply: (error: unknown) => Reply;
	/** Told of errors after the head, which the client may not get to see. */
	readonly onLateError: (error: unknown) => void;
}

const JSON_TYPE = "application/json";
/** Corked writes are copied into one: for larger chunks that costs more than the calls it saves. */
const LARGE_BYTES = 1 << 16;

/** Resolves when the reply is out (or the session has ended); never rejects. */
export async function writeReply(exchange: Exchange, reply: Reply, context: ReplyContext): Promise<void> {
	const { socket } = exchange;
	if (socket.destroyed) return dropReply(reply);
	try {
		await writeByKind(exchange, reply, context);
	} catch (error) {
		if (!(error instanceof CancelledError)) context.onLateError(error);
		exchange.abandon();
	}
}

async function writeByKind(exchange: Exchange, reply: Reply, context: ReplyContext): Promise<void> {
	switch (reply.kind) {
		case "json":
			return await writeWhole(exchange, context, reply.status, `${jsonText(reply.value as JsonValue)}\n`, JSON_TYPE);
		case "text":
			return await writeWhole(exchange, context, reply.status, reply.text, "text/plain; charset=utf-8", reply.headers);
		case "empty":
			return await writeWhole(exchange, context, reply.status, "", undefined, reply.headers);
		case "stream":
			return await writeStream(exchange, context, reply);
		case "deferred":
			return await writeDeferred(exchange, context, reply.result);
		case "lines":
			return await writeLines(exchange, context, reply);
		case "hijack":
			return await spliceSession(exchange, reply);
		case "websocket":
			return await acceptWebSocket(exchange, reply.session);
		case "upgrade":
			return await upgrade(exchange, reply);
	}
}

/** Resolves when the connection has ended. */
async function upgrade(exchange: Exchange, { protocol, take }: UpgradeReply): Promise<void> {
	const socket = exchange.hijack();
	socket.write(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
	take(socket);
	if (!socket.destroyed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

/** Frees what a reply holds that nobody will read. */
function dropReply(reply: Reply): void {
	const ignore = () => {};
	if (reply.kind === "stream") reply.stream.on("error", ignore).destroy();
	if (reply.kind === "websocket") reply.session.stream.on("error", ignore).destroy();
	if (reply.kind === "hijack") reply.session.then(({ stream }) => stream.on("error", ignore).destroy(), ignore);
	// Nobody is left to hear of its failure.
	if (reply.kind === "deferred") reply.result.catch(ignore);
}

async function writeWhole(
	exchange: Exchange,
	context: ReplyContext,
	status: number,
	body: string,
	contentType: string | undefined,
	headers: ReplyHeaders = {},
): Promise<void> {
	const hasBody = status !== 204 && status !== 304;
	const length = hasBody ? { "Content-Length": String(Buffer.byteLength(body)) } : {};
	const type = contentType === undefined ? {} : { "Content-Type": contentType };
	const head = headText(exchange, status, { ...context.commonHeaders, ...type, ...headers, ...length });
	const accepted = exchange.socket.write(hasBody && exchange.head.method !== "HEAD" ? head + body : head);
	// A client that sends requests without reading the replies is not served the next one.
	if (!accepted && exchange.keepAlive) await drained(exchange.socket);
	exchange.finish(!exchange.keepAlive);
}

function headText(exchange: Exchange, status: number, headers: ReplyHeaders): string {
	const { head, keepAlive } = exchange;
	let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
	for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
	if (!keepAlive) text += "Connection: close\r\n";
	else if (head.httpMinor === 0) text += "Connection: keep-alive\r\n";
	return `${text}Date: ${new Date().toUTCString()}\r\n\r\n`;
}

/** A body of unknown length: chunked, or up to the connection's end for HTTP/1.0. */
class BodyWriter {
	readonly #socket: Socket;
	readonly #chunked: boolean;

	constructor(
		private readonly exchange: Exchange,
		context: ReplyContext,
		headers: ReplyHeaders,
	) {
		this.#socket = exchange.socket;
		this.#chunked = exchange.head.httpMinor === 1;
		const framing: ReplyHeaders = this.#chunked ? { "Transfer-Encoding": "chunked" } : { Connection: "close" };
		this.#socket.write(headText(exchange, 200, { ...context.commonHeaders, ...headers, ...framing }));
	}

	/** Resolves when the next chunk may be written. */
	async write(chunk: Buffer | string): Promise<void> {
		if (chunk.length === 0) return;
		if (this.#socket.destroyed) throw new CancelledError();
		if (!this.#put(chunk)) await drained(this.#socket);
	}

	/** The same for several texts, which stay chunks of their own. */
	async writeEach(texts: readonly string[]): Promise<void> {
		if (this.#socket.destroyed) throw new CancelledError();
		const framed = this.#chunked
			? texts.map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
			: texts;
		if (!this.#socket.write(framed.join(""))) await drained(this.#socket);
	}

	/** Whether nothing of a chunk that was written is here any more: the socket says so only of those beyond its mark. */
	isGone(chunk: Buffer): boolean {
		return chunk.length >= this.#socket.writableHighWaterMark;
	}

	#put(chunk: Buffer | string): boolean {
		if (!this.#chunked) return this.#socket.write(chunk);
		if (typeof chunk === "string")
			return this.#socket.write(`${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`);
		if (chunk.length >= LARGE_BYTES) {
			this.#socket.write(`${chunk.length.toString(16)}\r\n`);
			this.#socket.write(chunk);
			return this.#socket.write("\r\n");
		}
		this.#socket.cork();
		this.#socket.write(`${chunk.length.toString(16)}\r\n`);
		this.#socket.write(chunk);
		const accepted = this.#socket.write("\r\n");
		this.#socket.uncork();
		return accepted;
	}

	end(): void {
		if (this.#chunked) this.#socket.write("0\r\n\r\n");
		this.exchange.finish(!this.#chunked || !this.exchange.keepAlive);
	}
}

async function drained(socket: Socket): Promise<void> {
	if (socket.destroyed) throw new CancelledError();
	const closed = new AbortController();
	const onClose = () => closed.abort();
	socket.once("close", onClose);
	try {
		await once(socket, "drain", { signal: closed.signal });
	} catch (cause) {
		throw new CancelledError("client went away", { cause });
	} finally {
		socket.off("close", onClose);
	}
}

async function writeStream(
	exchange: Exchange,
	context: ReplyContext,
	{ contentType, stream, headers, isDisposable }: StreamReply,
): Promise<void> {
	// A stream waiting for its source (logs of a silent container) must hear that nobody reads any more.
	const onClose = () => stream.destroy();
	exchange.socket.once("close", onClose);
	const onAbort = () => stream.destroy();
	exchange.signal.addEventListener("abort", onAbort, { once: true });
	try {
		const writer = new BodyWriter(exchange, context, { ...headers, "Content-Type": contentType });
		for await (const chunk of stream) {
			await writer.write(chunk);
			// The collector would let hundreds of megabytes of them stand.
			if (isDisposable === true && writer.isGone(chunk)) dispose(chunk);
		}
		writer.end();
	} catch (error) {
		if (exchange.socket.destroyed || exchange.signal.aborted)
			throw new CancelledError("client went away", { cause: error });
		throw error;
	} finally {
		exchange.socket.off("close", onClose);
		stream.destroy();
	}
}

/** Gives the memory back, unless the chunk is a part of something larger. */
function dispose({ buffer, length }: Buffer): void {
	if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

async function writeDeferred(exchange: Exchange, context: ReplyContext, result: Promise<unknown>): Promise<void> {
	const writer = new BodyWriter(exchange, context, { "Content-Type": JSON_TYPE });
	await writer.write(`${jsonText((await result) as JsonValue)}\n`);
	writer.end();
}

/** So many at most go out together. */
const LINES_AT_ONCE = 64;

async function writeLines(exchange: Exchange, context: ReplyContext, reply: LinesReply): Promise<void> {
	const iterator = reply.items[Symbol.asyncIterator]();
	// The loop below must not wait for ever on a source that is silent when the client has gone.
	const unlessGone = interruptible(exchange.signal, () => new CancelledError());
	try {
		let next = iterator.next();
		next.catch(() => {});
		try {
			if (!reply.headersAtOnce) await unlessGone(next);
			else if (!reply.errorsInBand) await Promise.race([next, turn()]);
		} catch (error) {
			if (error instanceof CancelledError) throw error;
			return await writeReply(exchange, context.errorReply(error), context);
		}
		const writer = new BodyWriter(exchange, context, { "Content-Type": JSON_TYPE });
		try {
			for (let item = await unlessGone(next); !item.done; item = await unlessGone(next)) {
				const lines: string[] = [];
				const over = turn().then(() => undefined);
				for (let line: IteratorResult<unknown> | undefined = item; line !== undefined && line.done !== true; ) {
					lines.push(jsonText(line.value as JsonValue) + reply.separator);
					next = iterator.next();
					// What comes in the same turn goes out with it. An end or a failure is told by the outer loop.
					const more = next.catch(() => undefined);
					line = lines.length < LINES_AT_ONCE ? await Promise.race([more, over]) : undefined;
				}
				await writer.writeEach(lines);
			}
		} catch (error) {
			if (!reply.errorsInBand || error instanceof CancelledError) throw error;
			const message = errorMessage(error);
			await writer.write(jsonText({ errorDetail: { message }, error: message }) + reply.separator);
		}
		writer.end();
	} finally {
		// Not awaited: a generator that waits for its source would hold us; its signal ends it.
		iterator.return?.()?.catch(() => {});
	}
}

/** One turn of the event loop: enough for a source to refuse its arguments. */
function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
