/** A hijacked connection: bytes between a client and a process's monitor, both ways, half-close kept. */
import type { Socket } from "node:net";
import { type Duplex, Transform } from "node:stream";
import { finished } from "node:stream/promises";
import { errorMessage } from "../../base/errors.ts";
import type { AttachSession } from "../../core/container/attach-session.ts";
import { DetachKeyScanner } from "../detach-keys.ts";
import type { Exchange } from "./connection.ts";
import type { HijackReply } from "./reply.ts";
import { outputFrame, StreamDemultiplexer } from "./stream-demultiplexer.ts";

/** A client that keeps its sending side open is cut off this long after the last output byte. */
const CLOSE_GRACE_MS = 1000;
/**
 * Output follows the head after this time at the earliest. Clients that read the head through a buffer and the rest past
 * it (docker-py) lose what comes along in the same packet; a process takes longer than this to start anyway.
 */
const HEAD_LEAD_MS = 10;
/** Clients that lose nothing: the official one, in Go, and ours. An exec may be over before the lead is. */
const BUFFER_AWARE_CLIENT = /^(?:Docker|Gantry)-Client\b/;

/** Resolves when the session has ended. */
export async function spliceSession(exchange: Exchange, reply: HijackReply): Promise<void> {
	const inputEnded = exchange.socket.readableEnded;
	const socket = exchange.hijack();
	socket.write(hijackHead(exchange, reply.contentType));
	const lead = headLead(exchange);
	const session = await opened(socket, reply);
	if (session === undefined) return;
	const { stream } = session;
	// The stream may end before the pipes stand: listeners first.
	const sessionEnd = settled(stream);
	socket.once("close", () => stream.destroy());
	if (socket.destroyed) return void stream.destroy();
	if (inputEnded) stream.end();
	else pipeInput(socket, session, reply);
	await lead;
	pipeOutput(session, socket, reply);
	await sessionEnd;
	endSocket(socket);
}

/** Undefined when output may follow at once. */
function headLead(exchange: Exchange): Promise<void> | undefined {
	if (BUFFER_AWARE_CLIENT.test(exchange.head.headers.get("user-agent") ?? "")) return undefined;
	return new Promise((resolve) => setTimeout(resolve, HEAD_LEAD_MS));
}

/** The session, or undefined after its failure was told. */
async function opened(socket: Socket, reply: HijackReply): Promise<AttachSession | undefined> {
	try {
		return await reply.session;
	} catch (error) {
		const message = Buffer.from(`${errorMessage(error)}\r\n`);
		if (!socket.destroyed) socket.write(reply.framing === "multiplexed" ? outputFrame(message) : message);
		endSocket(socket);
		return undefined;
	}
}

function pipeOutput({ stream, terminal }: AttachSession, socket: Socket, { framing }: HijackReply): void {
	const isRaw = terminal;
	if (framing === undefined || isRaw === (framing === "raw")) return void stream.pipe(socket, { end: false });
	const demultiplexer = new StreamDemultiplexer();
	const convert = isRaw ? (chunk: Buffer) => [outputFrame(chunk)] : (chunk: Buffer) => demultiplexer.push(chunk);
	const filter = new Transform({
		transform(chunk: Buffer, _encoding, done) {
			for (const part of convert(chunk)) this.push(part);
			done();
		},
	});
	stream.pipe(filter).pipe(socket, { end: false });
}

function pipeInput(socket: Socket, session: AttachSession, reply: HijackReply): void {
	const { stream } = session;
	if (!session.terminal) return void socket.pipe(stream);
	const scanner = new DetachKeyScanner(reply.detachKeys);
	const filter = new Transform({
		transform(chunk: Buffer, _encoding, done) {
			const { passed, detached } = scanner.scan(chunk);
			if (passed.length > 0) this.push(passed);
			done();
			if (!detached) return;
			session.onDetach?.();
			stream.destroy();
		},
	});
	socket.pipe(filter).pipe(stream);
}

function hijackHead(exchange: Exchange, contentType: string): string {
	if (exchange.head.headers.has("upgrade"))
		return `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
	return `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n\r\n`;
}

/** When the output has ended, whatever became of the input; an error is an end, too. */
async function settled(stream: Duplex): Promise<void> {
	try {
		await finished(stream, { readable: true, writable: false });
	} catch {
		// A connection cut by the other side: the client sees the end of its stream.
	}
}

function endSocket(socket: Socket): void {
	if (socket.destroyed) return;
	socket.end();
	// Reading on lets us see the client close; what it still sends has no receiver.
	socket.resume();
	const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
	socket.once("close", () => clearTimeout(timer));
}
