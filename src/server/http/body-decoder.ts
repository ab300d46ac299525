/** Cuts a request's body out of the connection's bytes, part by part. */
import { ProtocolError } from "./protocol-error.ts";

export interface BodyDecoder {
	readonly finished: boolean;
	/** Hands the body's bytes in `input` to `onData` and returns how many bytes of `input` belong to this request, which are the decoder's to change. */
	decode(input: Buffer, onData: (part: Buffer) => void): number;
}

export class FixedLengthDecoder implements BodyDecoder {
	constructor(private remainingBytes: number) {}

	get finished(): boolean {
		return this.remainingBytes === 0;
	}

	decode(input: Buffer, onData: (part: Buffer) => void): number {
		const used = Math.min(input.length, this.remainingBytes);
		this.remainingBytes -= used;
		if (used > 0) onData(used === input.length ? input : input.subarray(0, used));
		return used;
	}
}

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
/** Longest chunk-size line (extensions included) and longest trailer section that is read. */
const MAX_LINE_BYTES = 4096;
const MAX_TRAILER_BYTES = 64 * 1024;

/** RFC 9112, section 7.1. Extensions and trailers are read and dropped. */
export class ChunkedDecoder implements BodyDecoder {
	#state: "size" | "data" | "data-end" | "trailer" | "done" = "size";
	#remainingBytes = 0;
	#line = "";
	#trailerBytes = 0;

	get finished(): boolean {
		return this.#state === "done";
	}

	/** Clients send small chunks (Go's 32 KiB): those that came together are pushed together, over their heads, and go on as one. */
	decode(input: Buffer, onData: (part: Buffer) => void): number {
		let offset = 0;
		let start = 0;
		let end = 0;
		while (offset < input.length && this.#state !== "done") {
			if (this.#state !== "data") {
				offset = this.#lineByte(input, offset);
				continue;
			}
			const next = Math.min(input.length, offset + this.#remainingBytes);
			if (start === end) {
				start = offset;
				end = next;
			} else {
				input.copyWithin(end, offset, next);
				end += next - offset;
			}
			this.#remainingBytes -= next - offset;
			if (this.#remainingBytes === 0) this.#state = "data-end";
			offset = next;
		}
		if (end > start) onData(input.subarray(start, end));
		return offset;
	}

	/** Takes the rest of the current line, or all of `input` when it does not end there. */
	#lineByte(input: Buffer, offset: number): number {
		const end = input.indexOf(LINE_FEED, offset);
		const stop = end < 0 ? input.length : end;
		this.#line += input.toString("latin1", offset, stop);
		if (this.#line.length > MAX_LINE_BYTES) throw new ProtocolError("bad-request", "chunk header is too long");
		if (end < 0) return input.length;
		if (this.#line.charCodeAt(this.#line.length - 1) !== CARRIAGE_RETURN)
			throw new ProtocolError("bad-request", "malformed chunked encoding");
		const line = this.#line.slice(0, -1);
		this.#line = "";
		this.#lineDone(line);
		return end + 1;
	}

	#lineDone(line: string): void {
		if (this.#state === "data-end") {
			if (line !== "") throw new ProtocolError("bad-request", "malformed chunked encoding");
			this.#state = "size";
		} else if (this.#state === "size") {
			const size = /^([0-9a-fA-F]{1,13})[ \t]*(?:;.*)?$/.exec(line)?.[1];
			if (size === undefined) throw new ProtocolError("bad-request", "malformed chunked encoding");
			this.#remainingBytes = Number.parseInt(size, 16);
			this.#state = this.#remainingBytes === 0 ? "trailer" : "data";
		} else {
			this.#trailerBytes += line.length;
			if (this.#trailerBytes > MAX_TRAILER_BYTES) throw new ProtocolError("bad-request", "trailers are too long");
			if (line === "") this.#state = "done";
		}
	}
}
