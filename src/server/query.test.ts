import { describe, expect, test } from "bun:test";
import { InvalidParameterError } from "../base/errors.ts";
import { Query } from "./query.ts";

describe("Query", () => {
	const flags: [string, boolean][] = [
		["", false],
		["all", false],
		["all=", false],
		["all=0", false],
		["all=no", false],
		["all=False", false],
		["all=NONE", false],
		["all= ", false],
		["all=1", true],
		["all=true", true],
		["all=yes", true],
		["all=anything", true],
	];
	for (const [query, wanted] of flags)
		test(`flag() reads "${query}" as ${wanted}`, () => expect(new Query(query).flag("all")).toBe(wanted));

	test("flag() takes the default only for an absent parameter", () => {
		expect(new Query("other=1").flag("stream", true)).toBe(true);
		expect(new Query("stream=").flag("stream", true)).toBe(false);
	});

	test("integer() reads whole numbers and refuses the rest", () => {
		expect(new Query("limit=-1").integer("limit")).toBe(-1);
		expect(new Query("limit=").integer("limit")).toBeUndefined();
		for (const text of ["a", "1.5", "0x10", "1e3", "99999999999999999999"])
			expect(() => new Query(`limit=${text}`).integer("limit")).toThrow(InvalidParameterError);
	});

	test("text() decodes escapes and plus signs", () => {
		expect(new Query("path=%2Fa%20b+c").text("path")).toBe("/a b c");
	});

	test("filters() reads both forms of filters", () => {
		const both = new Query(`filters=${encodeURIComponent('{"label":["a=b"],"status":{"running":true,"dead":false}}')}`);
		expect([...both.filters()]).toEqual([
			["label", ["a=b"]],
			["status", ["running"]],
		]);
		expect(() => new Query("filters=x").filters()).toThrow(InvalidParameterError);
	});
});
