/** A hijacked connection: bytes between a client and a process's monitor, both ways, half-close kept. */
import type { Socket } from "node:net";
import { type Duplex, Transform } from "node:stream";
import { finished } from "node:stream/promises";
import { DetachKeyScanner } from "../detach-keys.ts";
import type { Exchange } from "./connection.ts";
import type { HijackReply } from "./reply.ts";

/** A client that keeps its sending side open is cut off this long after the last output byte. */
const CLOSE_GRACE_MS = 1000;

/** Resolves when the session has ended. */
export async function spliceSession(exchange: Exchange, reply: HijackReply): Promise<void> {
	const { stream } = reply.session;
	const inputEnded = exchange.socket.readableEnded;
	const socket = exchange.hijack();
	// `stream` may end before the pipes stand; listeners first.
	const sessionEnd = settled(stream);
	socket.once("close", () => stream.destroy());
	if (socket.destroyed) return void stream.destroy();
	socket.write(hijackHead(exchange, reply.contentType));
	stream.pipe(socket, { end: false });
	if (inputEnded) stream.end();
	else pipeInput(socket, stream, reply);
	await sessionEnd;
	endSocket(socket);
}

function pipeInput(socket: Socket, stream: Duplex, reply: HijackReply): void {
	if (reply.detachKeys === undefined || !reply.session.terminal) return void socket.pipe(stream);
	const scanner = new DetachKeyScanner(reply.detachKeys);
	const filter = new Transform({
		transform(chunk: Buffer, _encoding, done) {
			const { passed, detached } = scanner.scan(chunk);
			if (passed.length > 0) this.push(passed);
			done();
			if (!detached) return;
			reply.session.onDetach?.();
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
