import { expect, test } from "bun:test";
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
