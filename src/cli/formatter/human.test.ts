import { expect, test } from "bun:test";
import { ellipsis, humanDuration, preciseSize, truncateId } from "./human.ts";
import { indentJson } from "./indent-json.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

test("humanDuration() says it in docker's words", () => {
	const cases: [number, string][] = [
		[999, "Less than a second"],
		[SECOND, "1 second"],
		[59 * SECOND, "59 seconds"],
		[60 * SECOND, "About a minute"],
		[120 * SECOND, "2 minutes"],
		[59 * 60 * SECOND, "59 minutes"],
		[HOUR, "About an hour"],
		[2.5 * HOUR, "3 hours"],
		[47 * HOUR, "47 hours"],
		[48 * HOUR, "2 days"],
		[13 * 24 * HOUR, "13 days"],
		[14 * 24 * HOUR, "2 weeks"],
		[60 * 24 * HOUR, "2 months"],
		[730 * 24 * HOUR, "2 years"],
	];
	expect(cases.map(([milliseconds]) => humanDuration(milliseconds))).toEqual(cases.map(([, text]) => text));
});

test("preciseSize() has four digits", () => {
	expect([0, 999, 1000, 174_600_000, 1_984_512].map(preciseSize)).toEqual(["0B", "999B", "1kB", "174.6MB", "1.985MB"]);
});

test("ellipsis() and truncateId() shorten", () => {
	expect([
		ellipsis("abcdef", 4),
		ellipsis("abcd", 4),
		ellipsis("abc", 0),
		truncateId("sha256:0123456789abcdef"),
	]).toEqual(["abc…", "abcd", "", "0123456789ab"]);
});

test("indentJson() keeps every digit and the order of keys", () => {
	const text = '{"b":9223372036854775807,"10":[],"2":{},"a":["x, \\"y\\": {",true,null,-1.50e3]}';
	expect(indentJson(text)).toBe(
		[
			"{",
			'    "b": 9223372036854775807,',
			'    "10": [],',
			'    "2": {},',
			'    "a": [',
			'        "x, \\"y\\": {",',
			"        true,",
			"        null,",
			"        -1.50e3",
			"    ]",
			"}",
		].join("\n"),
	);
});
