/** The Engine API's multiplexed framing: stream number, three zero bytes, big-endian length, payload. */
export type OutputStream = "stdout" | "stderr";

export const FRAME_HEADER_BYTES = 8;

const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

/** One frame around `payload`. */
export function outputFrame(stream: OutputStream, payload: string | Uint8Array): Buffer {
	const body = typeof payload === "string" ? Buffer.from(payload) : payload;
	const frame = Buffer.alloc(FRAME_HEADER_BYTES + body.length);
	writeFrameHeader(frame, 0, STREAM_NUMBER[stream], body.length);
	frame.set(body, FRAME_HEADER_BYTES);
	return frame;
}

/** @param stream 1 or 2 */
export function writeFrameHeader(target: Buffer, offset: number, stream: number, length: number): void {
	target[offset] = stream;
	target[offset + 1] = 0;
	target[offset + 2] = 0;
	target[offset + 3] = 0;
	target.writeUInt32BE(length, offset + 4);
}
