import { expect, test } from "bun:test";
import { builderArguments } from "./builder-arguments.ts";

const of = (args: Readonly<Record<string, string>>) => builderArguments(new Map(Object.entries(args)));

test("builderArguments() reads BuildKit's", () => {
	const none = { inlineCache: false, keepGitDir: false, cacheNamespace: "", hostname: "", multiPlatform: false };
	expect(of({ OTHER: "1", BUILDKIT_INLINE_CACHE: "0", BUILDKIT_MULTI_PLATFORM: "false" })).toEqual(none);
	const given = {
		BUILDKIT_INLINE_CACHE: "1",
		BUILDKIT_CONTEXT_KEEP_GIT_DIR: "true",
		BUILDKIT_CACHE_MOUNT_NS: "ns",
		BUILDKIT_SANDBOX_HOSTNAME: "host",
		BUILDKIT_MULTI_PLATFORM: "1",
	};
	expect(of(given)).toEqual({
		inlineCache: true,
		keepGitDir: true,
		cacheNamespace: "ns",
		hostname: "host",
		multiPlatform: true,
	});
	expect(() => of({ BUILDKIT_INLINE_CACHE: "maybe" })).toThrow(
		"invalid boolean value for BUILDKIT_INLINE_CACHE: maybe",
	);
});
