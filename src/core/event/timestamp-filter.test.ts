import { expect, test } from "bun:test";
import { parseUntil } from "./timestamp-filter.ts";

const NOW = Date.parse("2024-05-06T07:08:09Z");
const until = (...values: string[]) => parseUntil(new Map([["until", values]]), NOW);

test("without the filter everything is old enough", () => {
	expect(parseUntil(new Map(), NOW)).toBe(Number.POSITIVE_INFINITY);
});

test.each([
	["1700000000", 1_700_000_000_000],
	["1700000000.5", 1_700_000_000_500],
	["10m", NOW - 600_000],
	["2024-05-06", Date.parse("2024-05-06T00:00:00Z")],
	["2024-05-06T07:00", Date.parse("2024-05-06T07:00:00Z")],
	["2024-05-06T07:00:00+02:00", Date.parse("2024-05-06T05:00:00Z")],
])("reads %s", (text, expected) => {
	expect(until(text)).toBe(expected);
});

test("refuses what is no time, and more than one", () => {
	expect(() => until("soon")).toThrow('failed to parse value as time or duration: "soon"');
	expect(() => until("1m", "2m")).toThrow("more than one until filter specified");
});
