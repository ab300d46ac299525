import { describe, expect, test } from "bun:test";
import { InvalidParameterError } from "../base/errors.ts";
import { parseTimestampNs, parseTimestampSeconds } from "./timestamps.ts";

describe("parseTimestampNs()", () => {
	const valid: [string, bigint | undefined][] = [
		["", undefined],
		["0", undefined],
		["1700000000", 1_700_000_000_000_000_000n],
		["1700000000.5", 1_700_000_000_500_000_000n],
		["1700000000.000000001", 1_700_000_000_000_000_001n],
		["-1.5", -1_500_000_000n],
		["2023-11-14T22:13:20Z", 1_700_000_000_000_000_000n],
	];
	for (const [text, wanted] of valid) test(`reads "${text}"`, () => expect(parseTimestampNs(text)).toBe(wanted));
	for (const text of ["abc", "1.2.3", "1e9", "2023-99-99T00:00:00Z"])
		test(`refuses "${text}"`, () => expect(() => parseTimestampNs(text)).toThrow(InvalidParameterError));
	test("gives seconds with their fraction", () =>
		expect(parseTimestampSeconds("1700000000.25")).toBe(1_700_000_000.25));
});
