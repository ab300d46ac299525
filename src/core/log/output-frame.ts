/** One frame of the multiplexed stream: stream number, three zero bytes, big-endian length, payload. */
export function outputFrame(stream: "stdout" | "stderr", payload: Uint8Array): Buffer {
	const frame = Buffer.allocUnsafe(8 + payload.length);
	frame.writeUInt32BE(stream === "stdout" ? 0x01000000 : 0x02000000, 0);
	frame.writeUInt32BE(payload.length, 4);
	frame.set(payload, 8);
	return frame;
}
