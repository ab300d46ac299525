/**
 * The frames of a build session, the same in both directions. Each is a head of nine bytes and a payload:
 *
 *   u32 big-endian  length of the payload
 *   u8              kind
 *   u32 big-endian  number of the stream
 *
 * Streams opened by the client have odd numbers, those of the daemon even ones. `open` and `json` carry a JSON document, `reset`
 * a `{kind, message}`, `window` a u32: how many more bytes of payload the receiver of the stream takes.
 */
import { InvalidParameterError } from "../../../base/errors.ts";

export const FRAME_KINDS = ["open", "json", "data", "end", "reset", "window"] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

export interface Frame {
	readonly kind: FrameKind;
	readonly stream: number;
	readonly payload: Uint8Array;
}

const HEAD_BYTES = 9;
/** Of one frame. What is longer is split by its sender; requests with a large Dockerfile in them must fit. */
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

/** @throws InvalidParameterError when the payload is too long for one frame */
export function encodeFrame(kind: FrameKind, stream: number, payload: Uint8Array): Uint8Array {
	if (payload.length > MAX_PAYLOAD_BYTES) throw new InvalidParameterError("message of a build session is too long");
	const frame = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
	frame.writeUInt32BE(payload.length, 0);
	frame[4] = FRAME_KINDS.indexOf(kind);
	frame.writeUInt32BE(stream, 5);
	frame.set(payload, HEAD_BYTES);
	return frame;
}

/** Puts frames together from the pieces that a connection delivers. */
export class FrameDecoder {
	readonly #pieces: Uint8Array[] = [];
	#bytes = 0;
	/** Of the frame whose payload is still on its way. */
	#head: Omit<Frame, "payload"> | undefined;
	#payloadBytes = 0;

	push(piece: Uint8Array): void {
		if (piece.length === 0) return;
		this.#pieces.push(piece);
		this.#bytes += piece.length;
	}

	/** True between two frames: where a connection may end. */
	get isAtBoundary(): boolean {
		return this.#bytes === 0 && this.#head === undefined;
	}

	/** The next whole frame. @throws InvalidParameterError for what is no frame; the connection is of no use then */
	next(): Frame | undefined {
		if (this.#head === undefined) {
			if (this.#bytes < HEAD_BYTES) return undefined;
			const head = Buffer.from(this.#take(HEAD_BYTES));
			const kind = FRAME_KINDS[head[4] ?? FRAME_KINDS.length];
			this.#payloadBytes = head.readUInt32BE(0);
			if (kind === undefined || this.#payloadBytes > MAX_PAYLOAD_BYTES)
				throw new InvalidParameterError("malformed frame in a build session");
			this.#head = { kind, stream: head.readUInt32BE(5) };
		}
		if (this.#bytes < this.#payloadBytes) return undefined;
		const frame = { ...this.#head, payload: this.#take(this.#payloadBytes) };
		this.#head = undefined;
		return frame;
	}

	#take(count: number): Uint8Array {
		this.#bytes -= count;
		const [first] = this.#pieces;
		if (first !== undefined && first.length >= count) {
			if (first.length === count) this.#pieces.shift();
			else this.#pieces[0] = first.subarray(count);
			return first.subarray(0, count);
		}
		const taken = new Uint8Array(count);
		for (let at = 0; at < count; ) {
			const piece = this.#pieces[0] as Uint8Array;
			const part = piece.subarray(0, count - at);
			taken.set(part, at);
			at += part.length;
			if (part.length === piece.length) this.#pieces.shift();
			else this.#pieces[0] = piece.subarray(part.length);
		}
		return taken;
	}
}
