import { describe, expect, test } from "bun:test";
import { encodeFrame, FrameReader, WebSocketFault } from "./websocket-frames.ts";

/** As a client sends it: masked. */
function clientFrame(opcode: number, payload: string): Buffer {
	const bytes = Buffer.from(payload);
	const mask = Buffer.from([1, 2, 3, 4]);
	const head =
		bytes.length < 126
			? Buffer.from([0x80 | opcode, 0x80 | bytes.length])
			: Buffer.from([0x80 | opcode, 0x80 | 126, bytes.length >> 8, bytes.length & 255]);
	return Buffer.concat([head, mask, bytes.map((byte, index) => byte ^ (mask[index & 3] ?? 0))]);
}

describe("FrameReader", () => {
	test("unmasks frames, however they are cut", () => {
		const input = Buffer.concat([clientFrame(1, "hi"), clientFrame(2, "x".repeat(300)), clientFrame(9, "ping")]);
		for (const size of [1, 5, 1000]) {
			const reader = new FrameReader();
			const seen: string[] = [];
			for (let offset = 0; offset < input.length; offset += size)
				for (const { kind, payload } of reader.push(input.subarray(offset, offset + size)))
					seen.push(`${kind} ${payload.toString()}`);
			expect(seen).toEqual(["data hi", `data ${"x".repeat(300)}`, "ping ping"]);
		}
	});
	test("refuses unmasked frames, reserved bits and frames that are too long", () => {
		for (const bytes of [
			[0x81, 0x01, 0x61],
			[0xc1, 0x80, 0, 0, 0, 0],
			[0x83, 0x80, 0, 0, 0, 0],
			[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
		])
			expect(() => new FrameReader().push(Buffer.from(bytes))).toThrow(WebSocketFault);
	});
});

describe("encodeFrame()", () => {
	test("writes the shortest length form", () => {
		expect([...encodeFrame("binary", Buffer.from("a"))]).toEqual([0x82, 1, 97]);
		expect([...encodeFrame("binary", Buffer.alloc(300)).subarray(0, 4)]).toEqual([0x82, 126, 1, 44]);
		expect([...encodeFrame("binary", Buffer.alloc(70_000)).subarray(0, 10)]).toEqual([
			0x82, 127, 0, 0, 0, 0, 0, 1, 17, 112,
		]);
	});
});
