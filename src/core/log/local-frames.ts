/**
 * The `local` driver's files: one frame per read of the monitor, little-endian.
 *
 *     0   u32  length of the payload
 *     4   u8   stream: 1 stdout, 2 stderr
 *     5   u8   0
 *     6   u16  mark 0x476c
 *     8   i64  nanoseconds since the epoch
 *     16       payload, lines and pieces of lines as they were printed
 *     16+n u32 length again, so that a file can be read from its end
 */
import type { RecordFormatter } from "./record-formatter.ts";

export const LOCAL_HEADER_BYTES = 16;
export const LOCAL_OVERHEAD_BYTES = 20;
const MARK = 0x476c;
const NEWLINE = 0x0a;

/** A reading error is better than memory filled by a broken length. */
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

/**
 * Decodes the complete frames of `block` up to `end`.
 * @param skipBytes left out of the first frame's payload: a tail may begin in its middle
 * @returns the offset behind the last complete frame; -1 when what is there is no frame
 */
export function decodeLocalFrames(block: Buffer, end: number, formatter: RecordFormatter, skipBytes = 0): number {
	let start = 0;
	while (!formatter.isPastEnd) {
		if (end - start < LOCAL_HEADER_BYTES) break;
		const length = block.readUInt32LE(start);
		if (block.readUInt16LE(start + 6) !== MARK || length > MAX_PAYLOAD_BYTES) return -1;
		if (end - start < LOCAL_OVERHEAD_BYTES + length) break;
		const payloadStart = start + LOCAL_HEADER_BYTES + (start === 0 ? skipBytes : 0);
		const payload = block.subarray(payloadStart, start + LOCAL_HEADER_BYTES + length);
		writePayload(block, start, payload, formatter);
		start += LOCAL_OVERHEAD_BYTES + length;
	}
	return start;
}

function writePayload(block: Buffer, start: number, payload: Buffer, formatter: RecordFormatter): void {
	const stream = block[start + 4] ?? 0;
	if (!formatter.wantsStream(stream)) return;
	if (formatter.isPlain) {
		const { writer } = formatter;
		const offset = writer.reserve(stream, payload.length);
		payload.copy(writer.buffer, offset);
		writer.commit(payload.length);
		return;
	}
	const nanoseconds = block.readBigInt64LE(start + 8);
	const seconds = nanoseconds / 1_000_000_000n;
	const time = { seconds: Number(seconds), nanoseconds: Number(nanoseconds - seconds * 1_000_000_000n) };
	if (formatter.wantsTime(time)) formatter.write(stream, payload, time, "");
}

/** The length in front of, or behind, a payload. */
export function payloadLength(block: Buffer, offset: number): number {
	return block.readUInt32LE(offset);
}

export function isFrameHeader(header: Buffer): boolean {
	return header.readUInt16LE(6) === MARK && payloadLength(header, 0) <= MAX_PAYLOAD_BYTES;
}

/** How many bytes of `payload` go before its last `count` lines; its end without a newline counts as a line. */
export function offsetOfLastLines(payload: Buffer, count: number): { readonly offset: number; readonly found: number } {
	let found = 0;
	let offset = payload.length;
	while (found < count && offset > 0) {
		const newline = offset < 2 ? -1 : payload.lastIndexOf(NEWLINE, offset - 2);
		offset = newline + 1;
		found++;
	}
	return { offset, found };
}
