import { expect, test } from "bun:test";
import { InvalidParameterError } from "../../base/errors.ts";
import { gitSource, isRemoteSource } from "./remote-source.ts";

const repositories: readonly (readonly [source: string, url: string, ref: string, subdirectory: string])[] = [
	["https://example.com/a/b.git", "https://example.com/a/b.git", "", ""],
	["https://example.com/a/b.git#v1:sub/dir", "https://example.com/a/b.git", "v1", "sub/dir"],
	["https://github.com/a/b#main", "https://github.com/a/b", "main", ""],
	["git@example.com:a/b.git#:dir", "git@example.com:a/b.git", "", "dir"],
	["ssh://git@example.com/a/b", "ssh://git@example.com/a/b", "", ""],
	["git://example.com/a/b#0123abc", "git://example.com/a/b", "0123abc", ""],
];
test.each(repositories)("%s is a repository", (source, url, ref, subdirectory) => {
	expect(gitSource(source)).toEqual({ url, ref, subdirectory });
	expect(isRemoteSource(source)).toBe(true);
});

test.each([
	["?branch=main&subdir=a/b", { ref: "refs/heads/main", subdirectory: "a/b" }],
	["?tag=v1&commit=0123abc", { ref: "refs/tags/v1", checksum: "0123abc" }],
	["?commit=0123abc", { ref: "0123abc", checksum: "0123abc" }],
	["?ref=v1&keep-git-dir&submodules=false", { ref: "v1", keepGitDir: true, submodules: false }],
	["?keep-git-dir=0#v1:dir", { ref: "v1", subdirectory: "dir", keepGitDir: false }],
])("a query: %s", (query, expected) => {
	const url = "https://example.com/a/b.git";
	expect(gitSource(`${url}${query}`)).toEqual({ url, subdirectory: "", ...expected });
});

test.each(["?colour=red", "?tag=a&branch=b", "?tag=a#b", "?ref=a&ref=b", "?subdir=a#:b", "?submodules=maybe"])(
	"no query: %s",
	(query) => {
		expect(() => gitSource(`https://example.com/a/b.git${query}`)).toThrow(InvalidParameterError);
	},
);

test.each(["https://example.com/a.tar.gz", "http://example.com/", "https://github.com/a/b/releases/x.tar"])(
	"%s is a file",
	(source) => {
		expect(gitSource(source)).toBeUndefined();
		expect(isRemoteSource(source)).toBe(true);
	},
);

test.each([".", "src/a.git", "./http://x", "a:b", "user@host", "ftp://example.com/x", "/abs/git@x"])(
	"%s is in the context",
	(source) => {
		expect(isRemoteSource(source)).toBe(false);
	},
);
