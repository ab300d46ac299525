import {
	isFrameHeader,
	LOCAL_HEADER_BYTES,
	LOCAL_OVERHEAD_BYTES,
	offsetOfLastLines,
	payloadLength,
} from "../../core/log/local-frames.ts";
import type { LogFile } from "./log-file.ts";

/** Where to begin in a file, and how many of the wanted lines are found from there on. */
export interface TailStart {
	readonly offset: number;
	/** Bytes to leave out of the first record's payload. */
	readonly skipBytes: number;
	readonly found: number;
}

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
/** A length read out of a torn frame can be anything. */
const LARGEST_PAYLOAD_BYTES = 16 * 1024 * 1024;

/** The last `count` records of the first `size` bytes of a json-file; a torn record at the end does not count. */
export function tailOfLines(file: LogFile, size: number, count: number): TailStart {
	const block = Buffer.allocUnsafe(BLOCK_BYTES);
	/** -1: the newline that ends the last record is still to come. */
	let found = -1;
	let end = size;
	while (end > 0) {
		const start = Math.max(0, end - BLOCK_BYTES);
		const length = file.read(block, 0, end - start, start);
		for (let from = length; from > 0; ) {
			const newline = block.lastIndexOf(NEWLINE, from - 1);
			if (newline === -1) break;
			found++;
			if (found === count) return { offset: start + newline + 1, skipBytes: 0, found };
			from = newline;
		}
		end = start;
	}
	return { offset: 0, skipBytes: 0, found: found + 1 };
}

/** The last `count` lines of the first `size` bytes of a `local` file; its frames hold many lines or pieces of one. */
export function tailOfFrames(file: LogFile, size: number, count: number): TailStart {
	let end = endOfFrames(file, size);
	let found = 0;
	while (end > 0 && found < count) {
		const payload = payloadBefore(file, end);
		if (payload === undefined) break;
		const last = offsetOfLastLines(payload, count - found);
		found += last.found;
		end -= payload.length + LOCAL_OVERHEAD_BYTES;
		if (found === count) return { offset: end, skipBytes: last.offset, found };
	}
	return { offset: count === 0 ? end : 0, skipBytes: 0, found };
}

/** `size`, or less when the last frame is still being written. */
function endOfFrames(file: LogFile, size: number): number {
	if (size === 0 || payloadBefore(file, size) !== undefined) return size;
	const header = Buffer.allocUnsafe(LOCAL_HEADER_BYTES);
	let end = 0;
	while (file.read(header, 0, header.length, end) === header.length && isFrameHeader(header)) {
		const next = end + LOCAL_OVERHEAD_BYTES + payloadLength(header, 0);
		if (next > size) break;
		end = next;
	}
	return end;
}

/** The payload of the frame that ends at `end`; undefined when none does. */
function payloadBefore(file: LogFile, end: number): Buffer | undefined {
	if (end < LOCAL_OVERHEAD_BYTES) return undefined;
	const trailer = Buffer.allocUnsafe(4);
	file.read(trailer, 0, trailer.length, end - trailer.length);
	const length = payloadLength(trailer, 0);
	const start = end - LOCAL_OVERHEAD_BYTES - length;
	if (start < 0 || length > LARGEST_PAYLOAD_BYTES) return undefined;
	const frame = Buffer.allocUnsafe(LOCAL_HEADER_BYTES + length);
	file.read(frame, 0, frame.length, start);
	return isFrameHeader(frame) && payloadLength(frame, 0) === length ? frame.subarray(LOCAL_HEADER_BYTES) : undefined;
}
