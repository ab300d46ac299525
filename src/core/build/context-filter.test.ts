import { describe, expect, test } from "bun:test";
import { selectionFilter } from "./context-filter.ts";

const PATHS = ["a", "a/b", "a/b/c.txt", "a/x.go", "a/x.txt", "ab", "d", "d/e", "d/e/f.go", "top.go"];

/** What a walk with the filter gives. */
function walk(include: readonly string[], exclude: readonly string[] = []): string[] {
	const filter = selectionFilter({ include, exclude });
	return PATHS.filter((path) => {
		const parents = path.split("/").map((_, index, names) => names.slice(0, index).join("/"));
		return parents.slice(1).every((parent) => filter.mayIncludeBelow(parent)) && filter.includes(path);
	});
}

describe("selectionFilter()", () => {
	for (const [include, exclude, expected] of [
		[[], [], PATHS],
		[["."], [], PATHS],
		[["/"], [], PATHS],
		[["a"], [], ["a", "a/b", "a/b/c.txt", "a/x.go", "a/x.txt"]],
		[["./a/"], [], ["a", "a/b", "a/b/c.txt", "a/x.go", "a/x.txt"]],
		[["/a/b"], [], ["a/b", "a/b/c.txt"]],
		[["../top.go"], [], ["top.go"]],
		[["*.go"], [], ["top.go"]],
		[["*/*.go", "ab"], [], ["a/x.go", "ab"]],
		[["d/*/f.go"], [], ["d/e/f.go"]],
		[["nothing"], [], []],
		[["."], ["a"], ["ab", "d", "d/e", "d/e/f.go", "top.go"]],
		[["."], ["a", "!a/x.go"], ["a/x.go", "ab", "d", "d/e", "d/e/f.go", "top.go"]],
		[["."], ["**/*.go"], ["a", "a/b", "a/b/c.txt", "a/x.txt", "ab", "d", "d/e"]],
		[
			["a", "top.go"],
			["*", "!a/b"],
			["a/b", "a/b/c.txt"],
		],
	] as const)
		test(`of ${JSON.stringify(include)} without ${JSON.stringify(exclude)}`, () =>
			expect(walk(include, exclude)).toEqual([...expected]));
});
