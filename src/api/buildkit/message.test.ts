import { describe, expect, test } from "bun:test";
import { PRUNE_REQUEST, SOLVE_REQUEST, STATUS_RESPONSE } from "./control.ts";
import { FILE_STAT, PACKET } from "./session.ts";
import { TIMESTAMP, timestamp } from "./values.ts";

const bytesOf = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));

describe("message()", () => {
	// Bytes as protobuf's encoding guide has them: a tag is number << 3 | wire type.
	for (const [what, hex, value] of [
		["a packet that asks for a file", "08 01 18 ac 02", { type: 1, stat: undefined, id: 300, data: new Uint8Array() }],
		["the end of a file", "08 02 18 01", { type: 2, stat: undefined, id: 1, data: new Uint8Array() }],
		["data", "08 02 18 01 22 02 68 69", { type: 2, stat: undefined, id: 1, data: bytesOf("6869") }],
	] as const)
		test(`reads and writes ${what}`, () => {
			expect(PACKET.decode(bytesOf(hex))).toEqual(value);
			expect(PACKET.encode(value)).toEqual(bytesOf(hex));
		});

	test("keeps nanoseconds and modes exactly", () => {
		const stat = { path: "a/b", mode: 0x800001ed, size: 2 ** 40, modifiedNs: 1766000000123456789n, linkName: "" };
		expect(FILE_STAT.decode(FILE_STAT.encode(stat))).toMatchObject(stat);
	});

	test("reads negative numbers", () => {
		expect(PRUNE_REQUEST.decode(PRUNE_REQUEST.encode({ keepDuration: -1 })).keepDuration).toBe(-1);
	});

	test("nests lists, maps and messages", () => {
		const request = {
			ref: "r",
			frontendAttrs: new Map([
				["build-arg:A", "1"],
				["empty", ""],
			]),
			exporters: [
				{ type: "moby", attrs: new Map([["name", "x"]]) },
				{ type: "tar", attrs: new Map() },
			],
			cache: { exports: [], imports: [{ type: "registry", attrs: new Map([["ref", "y"]]) }] },
		};
		expect(SOLVE_REQUEST.decode(SOLVE_REQUEST.encode(request))).toMatchObject(request);
	});

	test("skips fields it does not know, and those of another type", () => {
		expect(PACKET.decode(bytesOf("08 01 52 03 616263 9801 05 1a 01 ff 18 07"))).toMatchObject({ type: 1, id: 7 });
	});

	for (const hex of ["22 05 61", "12 02 0a 05 61", "08", "ff ff ff ff ff ff ff ff ff ff ff", "0b"])
		test(`refuses ${hex}`, () => expect(() => PACKET.decode(bytesOf(hex))).toThrow("malformed protobuf message"));

	test("refuses any cut of a message, or reads a smaller one", () => {
		const whole = STATUS_RESPONSE.encode({
			vertexes: [{ digest: "sha256:0", name: "n", started: timestamp(5), inputs: ["a", "b"] }],
			logs: [{ vertex: "v", msg: bytesOf("00ff"), stream: 1 }],
		});
		for (let length = 0; length < whole.length; length++)
			try {
				STATUS_RESPONSE.decode(whole.subarray(0, length));
			} catch (error) {
				expect(String(error)).toContain("malformed protobuf message");
			}
	});
});

test("timestamp() has nanoseconds for what is less than a second", () => {
	expect(timestamp(1500.25)).toEqual({ seconds: 1, nanos: 500250000 });
	expect(TIMESTAMP.decode(TIMESTAMP.encode(timestamp(-1)))).toEqual({ seconds: -1, nanos: 999000000 });
});
