import { expect, test } from "bun:test";
import { errorKind } from "../../base/errors.ts";
import { DockerfileError, excerpt } from "./dockerfile-error.ts";
import { linesOf, type SourceRange } from "./source-range.ts";

function range(from: readonly [number, number], to: readonly [number, number]): SourceRange {
	return { start: { line: from[0], column: from[1] }, end: { line: to[0], column: to[1] } };
}

test("without a place there is the file's name alone", () => {
	const error = new DockerfileError({ reason: "file with no instructions", file: "web.Dockerfile" });
	expect([error.message, errorKind(error), error.name]).toEqual([
		"web.Dockerfile: file with no instructions",
		"invalid-parameter",
		"DockerfileError",
	]);
});

test("a place is given once", () => {
	const place = { file: "Dockerfile", source: "a\nbc", range: range([2, 1], [2, 3]) };
	const error = new DockerfileError({ reason: "wrong", suggestion: "cd" }).at(place);
	expect(error.message).toBe("Dockerfile:2:1: wrong (did you mean cd?)\n  1 | a\n> 2 | bc\n    | ^^");
	expect(error.at({ ...place, file: "other" })).toBe(error);
	expect(error.summary).toBe("wrong (did you mean cd?)");
});

test("tabs keep the marker in its place", () => {
	expect(excerpt("\tRUN\tx", range([1, 6], [1, 7]))).toBe("> 1 | \tRUN\tx\n    | \t   \t^");
});

test("of several lines all are marked, as far as they are shown", () => {
	const source = Array.from({ length: 20 }, (_, index) => `line ${index + 1}\r`).join("\n");
	expect(excerpt(source, range([9, 1], [10, 3]))).toBe("   8 | line 8\n>  9 | line 9\n> 10 | line 10");
	expect(excerpt(source, range([2, 1], [20, 1])).split("\n")).toHaveLength(7);
});

test("long lines and long reasons are cut", () => {
	const long = "x".repeat(1000);
	const error = new DockerfileError({ reason: long, source: long, ranges: [range([1, 900], [1, 905])] });
	expect(error.message.length).toBeLessThan(900);
	expect(error.reason).toEndWith("…");
});

test("linesOf() leaves out a line of which nothing is in the range", () => {
	expect(linesOf(range([2, 3], [4, 2]))).toEqual([2, 3, 4]);
	expect(linesOf(range([2, 3], [4, 1]))).toEqual([2, 3]);
	expect(linesOf(range([2, 1], [2, 1]))).toEqual([2]);
});
