/** `attach/ws`: a session over a WebSocket (RFC 6455), output as binary messages without stream headers, input from any data frame. */
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { InvalidParameterError } from "../../base/errors.ts";
import type { AttachSession } from "../../core/container/attach-session.ts";
import type { Exchange } from "./connection.ts";
import { StreamDemultiplexer } from "./stream-demultiplexer.ts";
import { encodeFrame, FrameReader, WebSocketFault, type WebSocketFrame } from "./websocket-frames.ts";

const HANDSHAKE_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE_GRACE_MS = 1000;

/** @throws InvalidParameterError when the request is no WebSocket handshake; call it before anything is opened. */
export function checkWebSocketRequest(headers: ReadonlyMap<string, string>): void {
	if (headers.get("upgrade")?.toLowerCase() !== "websocket" || headers.get("sec-websocket-key") === undefined)
		throw new InvalidParameterError("not a websocket handshake");
	if (headers.get("sec-websocket-version") !== "13")
		throw new InvalidParameterError("unsupported websocket version, 13 is spoken");
}

/** Resolves when the session has ended. */
export async function acceptWebSocket(exchange: Exchange, session: AttachSession): Promise<void> {
	const key = exchange.head.headers.get("sec-websocket-key") ?? "";
	const accept = createHash("sha1").update(key).update(HANDSHAKE_SUFFIX).digest("base64");
	const socket = exchange.hijack();
	const { stream } = session;
	socket.once("close", () => stream.destroy());
	socket.write(
		`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
	);
	readInput(socket, stream);
	const demultiplexer = session.terminal ? undefined : new StreamDemultiplexer();
	stream.on("data", (chunk: Buffer) => {
		for (const part of demultiplexer?.push(chunk) ?? [chunk]) {
			if (socket.write(encodeFrame("binary", part))) continue;
			stream.pause();
			socket.once("drain", () => stream.resume());
		}
	});
	try {
		await finished(stream, { readable: true, writable: false });
	} catch {
		// Cut by either side: the client gets a close frame below, if it is there.
	}
	closeSocket(socket, 1000);
}

function readInput(socket: Socket, stream: Duplex): void {
	const reader = new FrameReader();
	socket.on("data", (chunk: Buffer) => {
		try {
			for (const frame of reader.push(chunk)) handleFrame(socket, stream, frame);
		} catch (error) {
			if (!(error instanceof WebSocketFault)) throw error;
			closeSocket(socket, error.closeCode);
			stream.destroy();
		}
	});
	socket.on("end", () => stream.destroy());
	socket.resume();
}

function handleFrame(socket: Socket, stream: Duplex, frame: WebSocketFrame): void {
	switch (frame.kind) {
		case "data":
			if (stream.writableEnded || stream.destroyed || stream.write(frame.payload)) return;
			socket.pause();
			stream.once("drain", () => socket.resume());
			return;
		case "ping":
			socket.write(encodeFrame("pong", frame.payload));
			return;
		case "pong":
			return;
		case "close":
			closeSocket(socket, 1000);
			stream.destroy();
	}
}

function closeSocket(socket: Socket, code: number): void {
	if (socket.destroyed || socket.writableEnded) return;
	const payload = Buffer.alloc(2);
	payload.writeUInt16BE(code);
	socket.end(encodeFrame("close", payload));
	const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
	socket.once("close", () => clearTimeout(timer));
}
