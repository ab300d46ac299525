import { FRAME_HEADER_BYTES, writeFrameHeader } from "./output-frame.ts";

const CHUNK_BYTES = 256 * 1024;
const FRAME_PAYLOAD_BYTES = 64 * 1024;
const SINGLE_FRAMES = 1000;

/**
 * Collects output in large chunks. The first thousand records get a frame each, since clients that read frame by frame take
 * one for a line, as Docker sends them. After that, neighbouring records of one stream share a frame of up to 64 KiB, so
 * that reading a long log back costs the client one frame per thousand lines, not one each.
 *
 * Use: `reserve`, write at most as much into `buffer` from the returned offset on, then `commit`.
 */
export class FrameWriter {
	readonly #isRaw: boolean;
	readonly #ready: Buffer[] = [];
	#used = 0;
	/** Start of the open frame's header; -1: none. */
	#frame = -1;
	#stream = 0;
	#frames = 0;
	buffer = Buffer.allocUnsafe(0);

	constructor(options: { readonly raw: boolean }) {
		this.#isRaw = options.raw;
	}

	/** Room for `size` bytes of stream 1 or 2. @returns the offset to write at */
	reserve(stream: number, size: number): number {
		if (this.#used + size + FRAME_HEADER_BYTES > this.buffer.length) this.#nextBuffer(size);
		if (this.#isRaw) return this.#used;
		const open = this.#frame !== -1 && this.#stream === stream && this.#frames > SINGLE_FRAMES;
		if (!open || this.#used - this.#frame + size > FRAME_PAYLOAD_BYTES) {
			this.#closeFrame();
			this.#frames++;
			this.#frame = this.#used;
			this.#stream = stream;
			this.#used += FRAME_HEADER_BYTES;
		}
		return this.#used;
	}

	commit(size: number): void {
		this.#used += size;
	}

	/** Bytes that wait to be taken. */
	get pendingBytes(): number {
		return this.#used + this.#ready.reduce((sum, chunk) => sum + chunk.length, 0);
	}

	/** Finished chunks, the unfinished one included; empty when nothing was written. */
	take(): Buffer[] {
		this.#finishBuffer();
		return this.#ready.splice(0);
	}

	#nextBuffer(size: number): void {
		this.#finishBuffer();
		this.buffer = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, size + FRAME_HEADER_BYTES));
	}

	#finishBuffer(): void {
		this.#closeFrame();
		if (this.#used === 0) return;
		// A few bytes must not keep a whole chunk of memory alive in a slow reader's queue.
		const isSmall = this.#used < this.buffer.length / 4;
		this.#ready.push(isSmall ? Buffer.from(this.buffer.subarray(0, this.#used)) : this.buffer.subarray(0, this.#used));
		if (!isSmall) this.buffer = Buffer.allocUnsafe(0);
		this.#used = 0;
	}

	#closeFrame(): void {
		if (this.#frame === -1) return;
		const length = this.#used - this.#frame - FRAME_HEADER_BYTES;
		if (length === 0) this.#used = this.#frame;
		else writeFrameHeader(this.buffer, this.#frame, this.#stream, length);
		this.#frame = -1;
	}
}
