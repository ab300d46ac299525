import { describe, expect, test } from "bun:test";
import { InvalidParameterError } from "../base/errors.ts";
import { DEFAULT_DETACH_KEYS, DetachKeyScanner, parseDetachKeys } from "./detach-keys.ts";

describe("parseDetachKeys()", () => {
	const valid: [string, readonly number[]][] = [
		["", DEFAULT_DETACH_KEYS],
		["ctrl-p,ctrl-q", [16, 17]],
		["ctrl-@", [0]],
		["ctrl-[,a", [27, 97]],
		["ctrl-\\,ctrl-],ctrl-^,ctrl-_", [28, 29, 30, 31]],
	];
	for (const [text, codes] of valid) test(`reads "${text}"`, () => expect(parseDetachKeys(text)).toEqual(codes));
	for (const text of ["ctrl-", "ctrl-ab", "abc", "ctrl-P", "a,,b", "é"])
		test(`refuses "${text}"`, () => expect(() => parseDetachKeys(text)).toThrow(InvalidParameterError));
});

describe("DetachKeyScanner", () => {
	/** What passes, chunk by chunk, with `!` where the sequence was complete. */
	function scan(keys: readonly number[], chunks: readonly string[]): string[] {
		const scanner = new DetachKeyScanner(keys);
		return chunks.map((chunk) => {
			const { passed, detached } = scanner.scan(Buffer.from(chunk));
			return Buffer.from(passed).toString() + (detached ? "!" : "");
		});
	}
	const cases: [string, string[], string[]][] = [
		["passes what has none of the keys", ["hello", "world"], ["hello", "world"]],
		["ends at the sequence and drops what follows", ["ab\x10\x11cd"], ["ab!"]],
		["finds a sequence cut between chunks", ["a\x10", "\x11"], ["a", "!"]],
		["gives back a started sequence that is not completed", ["a\x10", "b"], ["a", "\x10b"]],
		["starts over at a repeated first key", ["\x10\x10\x11"], ["\x10!"]],
	];
	for (const [name, chunks, wanted] of cases)
		test(name, () => expect(scan(DEFAULT_DETACH_KEYS, chunks)).toEqual(wanted));
});
