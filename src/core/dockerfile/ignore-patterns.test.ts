import { expect, test } from "bun:test";
import { InvalidParameterError } from "../../base/errors.ts";
import { IgnorePatterns, parseIgnoreFile } from "./ignore-patterns.ts";
import { cleanPath, PathGlob } from "./path-glob.ts";

const cases: readonly (readonly [pattern: string, path: string, ignored: boolean])[] = [
	["**", "file", true],
	["**", "dir/file", true],
	["**/", "file", true],
	["**/**", "dir/file", true],
	["dir/**", "dir/file", true],
	["dir/**", "dir/dir2/file", true],
	["dir/**", "dir", false],
	["**/dir", "dir", true],
	["**/dir", "dir/file", true],
	["**/dir2/*", "dir/dir2/file", true],
	["**/dir2/*", "dir/dir2/dir2/file", true],
	["**file", "file", true],
	["**file", "dir/file", true],
	["**file", "myfile", true],
	["**/file", "myfile", false],
	["**/file*", "dir/dir/file.txt", true],
	["**/file*txt", "dir/dir/file.txt.md", false],
	["**/**/*.txt", "dir/dir/file.txt", true],
	["a**/*.txt", "a/file.txt", true],
	["a**/*.txt", "a/dir/dir/file.txt", true],
	["a/*.txt", "a/dir/file.txt", false],
	["a[b-d]e", "ae", false],
	["a[b-d]e", "ace", true],
	["a[^b-d]e", "aze", true],
	["a[^b-d]e", "ace", false],
	[".*", ".foo", true],
	[".*", "foo", false],
	["abc.def", "abcZdef", false],
	["abc?def", "abcZdef", true],
	["a\\\\", "a\\", true],
	["a\\*b", "a*b", true],
	["a\\*b", "axb", false],
	["**/foo/bar", "foo/bar", true],
	["**/foo/bar", "dir/dir2/foo/bar", true],
	["abc/**", "abc/def/ghi", true],
	["**/.foo", "bar.foo", false],
	["a(b)c/def", "a(b)c/def", true],
	["a.|)$(}+{bc", "a.|)$(}+{bc", true],
	["*.c", "äö.c", true],
	["?", "😀", true],
	["docs/", "docs/readme", true],
	["/docs", "docs", false],
	["../x", "x", false],
	["a/../b", "b", true],
];

test.each(cases)("pattern %s, path %s", (pattern, path, ignored) => {
	expect(new IgnorePatterns([pattern]).isIgnored(path)).toBe(ignored);
	expect(new IgnorePatterns([pattern]).matches(path)).toBe(ignored);
});

const lists: readonly (readonly [patterns: readonly string[], path: string, ignored: boolean])[] = [
	[["*", "!README.md"], "README.md", false],
	[["*", "!README.md"], "src/README.md", true],
	[["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true],
	[["*.md", "README-secret.md", "!README*.md"], "README-secret.md", false],
	[["docs", "!docs/keep"], "docs/keep", false],
	[["docs", "!docs/keep"], "docs/other", true],
	[["docs", "!docs/keep", "docs/keep/x"], "docs/keep/x", true],
	[["docs", "!docs/keep", "docs/keep/x"], "docs/keep/y", false],
	[["**", "!a"], "a/b/c", false],
	[["  *.tmp  ", ""], "x.tmp", true],
];

test.each(lists)("patterns %p, path %s", (patterns, path, ignored) => {
	expect(new IgnorePatterns(patterns).isIgnored(path)).toBe(ignored);
});

test("a walk does not ask a directory's exception again for its files", () => {
	const patterns = new IgnorePatterns(["a/*.txt", "!a"]);
	expect(patterns.isIgnored("a/x.txt")).toBe(true);
	expect(patterns.matches("a/x.txt")).toBe(false);
});

test("the file: comments, byte order mark, white space, slashes", () => {
	const text = "\ufeff# first\n\n  *.o  \r\n #not a comment\n/abs/path/\n! /keep\n!\n/\n./a//b/.\n";
	expect(parseIgnoreFile(text)).toEqual(["*.o", "#not a comment", "abs/path", "!keep", "!", "/", "a/b"]);
	expect(parseIgnoreFile(new TextEncoder().encode(text))).toEqual(parseIgnoreFile(text));
	expect(parseIgnoreFile("")).toEqual([]);
});

test.each(["!", "a[", "[]a]", "[a-]", "[-x]", "a\\", "[^]"])("%s is no pattern", (pattern) => {
	expect(() => new IgnorePatterns([pattern])).toThrow(InvalidParameterError);
});

test("directories are looked into as long as an exception may be in them", () => {
	const patterns = new IgnorePatterns(["node_modules", "dist", "!dist/keep/*.js", "!**/*.md"]);
	const plain = new IgnorePatterns(["node_modules", "dist", "!dist/k*/x.js"]);
	expect(
		["src", "dist", "dist/keep", "dist/other", "node_modules/x"].map((path) => patterns.mayIncludeBelow(path)),
	).toEqual([true, true, true, true, true]);
	expect(
		["src", "dist", "dist/keep", "dist/other", "node_modules/x"].map((path) => plain.mayIncludeBelow(path)),
	).toEqual([true, true, true, false, false]);
});

test("without ** a pattern has names of single directories, as COPY has them", () => {
	const matches = (pattern: string, path: string) => new PathGlob(pattern, { doubleStar: false }).matches(path);
	expect(matches("*.go", "main.go")).toBe(true);
	expect(matches("*.go", "cmd/main.go")).toBe(false);
	expect(matches("*/*.go", "cmd/main.go")).toBe(true);
	expect(matches("**/main.go", "a/b/main.go")).toBe(false);
	expect(matches("hom?.txt", "home.txt")).toBe(true);
	expect(matches("[a-c]x", "bx")).toBe(true);
	expect(matches("arr[[]0].txt", "arr[0].txt")).toBe(true);
});

test("patterns made to be slow are not", () => {
	const path = `${"a/".repeat(2000)}b`;
	expect(new PathGlob(`${"**/*a*/".repeat(40)}c`, { doubleStar: true }).matches(path)).toBe(false);
	expect(new PathGlob(`${"*a".repeat(100)}`, { doubleStar: false }).matches("a".repeat(4000))).toBe(true);
});

test("cleanPath() does what Go's does", () => {
	expect(["", ".", "/", "a/..", "../a", "/../a", "a//b/./c/", "a/../../b", "//x"].map(cleanPath)).toEqual([
		".",
		".",
		"/",
		".",
		"../a",
		"/a",
		"a/b/c",
		"../b",
		"/x",
	]);
});
