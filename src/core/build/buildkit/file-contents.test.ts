import { describe, expect, test } from "bun:test";
import { ContentDecoder } from "../context-contents.ts";
import type { ContextEntry } from "../context-listing.ts";
import { FileContents } from "./file-contents.ts";

const MIB = 1 << 20;

function wanted(id: number, sizeBytes: number) {
	const entry: ContextEntry = {
		path: `f${id}`,
		kind: "file",
		permissions: 0o644,
		target: "",
		device: 0,
		sizeBytes,
		modifiedNs: 1n,
		changedNs: 0n,
		inode: 1n,
	};
	return { id, position: id, entry };
}

/** What the copy of a context makes of the records: each file's bytes and verdict, in order. */
async function decode(pieces: readonly Uint8Array[]): Promise<[number, number, string][]> {
	const files: [number, number, string][] = [];
	let current: [number, number, string] = [-1, 0, ""];
	const decoder = new ContentDecoder({
		begin: ({ position }) => {
			current = [position, 0, ""];
		},
		data: (bytes) => {
			current[1] += bytes.length;
		},
		end: (verdict) => {
			files.push([current[0], current[1], verdict]);
		},
	});
	for (const piece of pieces) await decoder.push(piece);
	decoder.finish();
	return files;
}

describe("FileContents", () => {
	test("makes records of files that come in turns", async () => {
		const contents = new FileContents([wanted(3, 2), wanted(5, 3), wanted(7, 0)]);
		expect(contents.ask()).toEqual([3, 5, 7]);
		const pieces = [
			...contents.take(5, Buffer.from("ab")),
			...contents.take(3, Buffer.from("x")),
			...contents.take(7, Buffer.alloc(0)),
			...contents.take(5, Buffer.from("c")),
			...contents.take(3, Buffer.from("y")),
			...contents.take(5, Buffer.alloc(0)),
			...contents.take(3, Buffer.alloc(0)),
		];
		expect(contents.isComplete).toBe(true);
		expect(await decode(pieces)).toEqual([
			[7, 0, "whole"],
			[5, 3, "whole"],
			[3, 2, "whole"],
		]);
	});

	test("asks for one large file at a time, passes it on as it comes, and keeps small ones back meanwhile", async () => {
		const contents = new FileContents([wanted(0, 2 * MIB), wanted(1, 1), wanted(2, 3 * MIB)]);
		expect(contents.ask()).toEqual([0, 1]);
		const pieces = [...contents.take(0, Buffer.alloc(MIB))];
		expect(pieces).toHaveLength(2);
		expect(contents.take(1, Buffer.from("a"))).toEqual([]);
		expect(contents.take(1, Buffer.alloc(0))).toEqual([]);
		expect([contents.ask(), contents.isComplete]).toEqual([[], false]);
		pieces.push(...contents.take(0, Buffer.alloc(MIB)), ...contents.take(0, Buffer.alloc(0)));
		expect(contents.ask()).toEqual([2]);
		pieces.push(...contents.take(2, Buffer.alloc(3 * MIB)), ...contents.take(2, Buffer.alloc(0)));
		expect(await decode(pieces)).toEqual([
			[0, 2 * MIB, "whole"],
			[1, 1, "whole"],
			[2, 3 * MIB, "whole"],
		]);
	});

	test("asks for no more than may wait here", () => {
		const contents = new FileContents(Array.from({ length: 500 }, (_, id) => wanted(id, MIB)));
		expect(contents.ask()).toHaveLength(8);
		expect(new FileContents(Array.from({ length: 500 }, (_, id) => wanted(id, 1))).ask()).toHaveLength(100);
	});

	for (const [what, sizeBytes, pieces] of [
		["a small file", 3, ["abcd", "e"]],
		["a large file", 2 * MIB, ["x".repeat(2 * MIB), "more"]],
	] as const)
		test(`takes ${what} that has grown, and asks for it again the next time`, async () => {
			const contents = new FileContents([wanted(0, sizeBytes)]);
			contents.ask();
			const records = [...pieces, ""].flatMap((piece) => contents.take(0, Buffer.from(piece)));
			const [file] = await decode(records);
			expect(file?.[2]).toBe("recent");
		});

	for (const sizeBytes of [5, 2 * MIB])
		test(`refuses a file of ${sizeBytes} bytes that has become shorter`, () => {
			const contents = new FileContents([wanted(0, sizeBytes)]);
			contents.ask();
			contents.take(0, Buffer.from("abc"));
			expect(() => contents.take(0, Buffer.alloc(0))).toThrow("f0 of the build context cannot be read");
		});

	test("refuses what nobody asked for, and what has ended", () => {
		const contents = new FileContents([wanted(0, 1)]);
		contents.ask();
		expect(() => contents.take(1, Buffer.from("a"))).toThrow("not asked for");
		contents.take(0, Buffer.from("a"));
		contents.take(0, Buffer.alloc(0));
		expect(() => contents.take(0, Buffer.from("a"))).toThrow("not asked for");
	});

	test("refuses a small file without end", () => {
		const contents = new FileContents([wanted(0, 1)]);
		contents.ask();
		const flood = () => {
			for (let count = 0; count < 100; count++) contents.take(0, Buffer.alloc(MIB));
		};
		expect(flood).toThrow("has changed while it was sent");
	});
});
