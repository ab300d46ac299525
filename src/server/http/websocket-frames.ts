/** Frames of RFC 6455, section 5, without extensions. */
const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Longest frame that is taken from a client. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

export interface WebSocketFrame {
	/** Message boundaries mean nothing to a byte stream: continuations are data, too. */
	readonly kind: "data" | "ping" | "pong" | "close";
	readonly payload: Buffer;
}

/** What the client did against the protocol, as a close code (section 7.4.1). */
export class WebSocketFault extends Error {
	constructor(
		readonly closeCode: 1002 | 1009,
		message: string,
	) {
		super(message);
		this.name = "WebSocketFault";
	}
}

/** One unmasked final frame, as servers send them. */
export function encodeFrame(kind: "binary" | "close" | "ping" | "pong", payload: Uint8Array): Buffer {
	const { length } = payload;
	const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
	head[0] = 0x80 | OPCODES[kind];
	if (length < 126) head[1] = length;
	else if (length < 65_536) {
		head[1] = 126;
		head.writeUInt16BE(length, 2);
	} else {
		head[1] = 127;
		head.writeBigUInt64BE(BigInt(length), 2);
	}
	return Buffer.concat([head, payload]);
}

/** Cuts a client's frames out of its bytes and unmasks them. */
export class FrameReader {
	#pending: Buffer = Buffer.alloc(0);

	/** @throws WebSocketFault */
	push(chunk: Buffer): WebSocketFrame[] {
		this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
		const frames: WebSocketFrame[] = [];
		for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
		return frames;
	}

	#take(): WebSocketFrame | undefined {
		const bytes = this.#pending;
		const [first, second] = bytes;
		if (first === undefined || second === undefined) return undefined;
		if ((first & 0x70) !== 0 || (second & 0x80) === 0) throw new WebSocketFault(1002, "unmasked or extended frame");
		const short = second & 0x7f;
		const maskAt = short < 126 ? 2 : short === 126 ? 4 : 10;
		if (bytes.length < maskAt + 4) return undefined;
		const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
		if (length > MAX_PAYLOAD_BYTES) throw new WebSocketFault(1009, "frame is too long");
		const start = maskAt + 4;
		if (bytes.length < start + length) return undefined;
		this.#pending = bytes.subarray(start + length);
		return { kind: frameKind(first & 0x0f, length), payload: unmask(bytes, maskAt, length) };
	}
}

function frameKind(opcode: number, length: number): WebSocketFrame["kind"] {
	if (opcode >= OPCODES.close && length > 125) throw new WebSocketFault(1002, "control frame is too long");
	switch (opcode) {
		case OPCODES.continuation:
		case OPCODES.text:
		case OPCODES.binary:
			return "data";
		case OPCODES.close:
			return "close";
		case OPCODES.ping:
			return "ping";
		case OPCODES.pong:
			return "pong";
		default:
			throw new WebSocketFault(1002, "unknown opcode");
	}
}

function unmask(bytes: Buffer, maskAt: number, length: number): Buffer {
	const payload = Buffer.alloc(length);
	const start = maskAt + 4;
	for (let index = 0; index < length; index++)
		payload[index] = (bytes[start + index] ?? 0) ^ (bytes[maskAt + (index & 3)] ?? 0);
	return payload;
}
