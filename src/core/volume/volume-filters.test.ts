import { describe, expect, test } from "bun:test";
import { matchesVolume, parseBooleanFilter, prunesVolume } from "./volume-filters.ts";
import { checkVolumeName } from "./volume-name.ts";

const VOLUME = { Name: "data-1", Driver: "local", Labels: { tier: "back" } };
const filters = (entries: Record<string, string[]>) => new Map(Object.entries(entries));

describe("matchesVolume()", () => {
	test.each([
		[{}, true],
		[{ name: ["data"] }, true],
		[{ name: ["other", "1"] }, true],
		[{ name: ["other"] }, false],
		[{ driver: ["loc"] }, false],
		[{ label: ["tier"] }, true],
		[{ label: ["tier=front"] }, false],
	] as [Record<string, string[]>, boolean][])("%j is %p", (wanted, expected) => {
		expect(matchesVolume(filters(wanted), VOLUME)).toBe(expected);
	});

	test("a label that must not be there keeps a volume from pruning", () => {
		expect(prunesVolume(filters({ "label!": ["tier"] }), { labels: VOLUME.Labels })).toBe(false);
		expect(prunesVolume(filters({ "label!": ["other"] }), { labels: VOLUME.Labels })).toBe(true);
	});
});

test("parseBooleanFilter() takes Docker's spellings and nothing else", () => {
	const parse = (...values: string[]) => parseBooleanFilter(filters({ dangling: values }), "dangling");
	expect([parse("1"), parse("true"), parse("0"), parse("false"), parse()]).toEqual([
		true,
		true,
		false,
		false,
		undefined,
	]);
	expect(() => parse("yes")).toThrow("invalid filter 'dangling=[yes]'");
	expect(() => parse("true", "false")).toThrow("invalid filter");
});

test("checkVolumeName() refuses what is no name of a local volume", () => {
	checkVolumeName("a_1.b-C");
	expect(() => checkVolumeName("a")).toThrow("create a: volume name is too short");
	for (const name of ["../x", "/x", ".hidden", "-x", "a b", "a/b"])
		expect(() => checkVolumeName(name)).toThrow("includes invalid characters for a local volume name");
});
