import { describe, expect, test } from "bun:test";
import { cleanMemberName } from "./archive-path.ts";
import { goFileMode } from "./file-mode.ts";
import { opaqueMarker, parseWhiteout, whiteoutName } from "./whiteout.ts";

describe("cleanMemberName()", () => {
	for (const [name, clean] of [
		["a/b", "a/b"],
		["./a//b/", "a/b"],
		["/a", "a"],
		["/../a", "a"],
		["a/../b", "b"],
		["a/./..", ""],
		["./", ""],
		["...", "..."],
	] as const)
		test(`makes "${clean}" of "${name}"`, () => expect(cleanMemberName(name)).toBe(clean));

	for (const name of ["..", "../a", "a/../../b", "./../x"])
		test(`refuses "${name}"`, () => expect(() => cleanMemberName(name)).toThrow("outside of the root"));
});

describe("parseWhiteout()", () => {
	for (const [path, whiteout] of [
		["a/b", { kind: "none" }],
		["a/x.wh.b", { kind: "none" }],
		["a/.wh.b", { kind: "removed", path: "a/b" }],
		[".wh.b", { kind: "removed", path: "b" }],
		[".wh..b", { kind: "removed", path: ".b" }],
		["a/.wh..wh..opq", { kind: "opaque", path: "a" }],
		[".wh..wh..opq", { kind: "opaque", path: "" }],
		[".wh..wh.plnk/1.2", { kind: "ignored" }],
	] as const)
		test(`of "${path}" is ${whiteout.kind}`, () => expect(parseWhiteout(path)).toEqual(whiteout));

	test("is the inverse of whiteoutName() and opaqueMarker()", () => {
		expect(parseWhiteout(whiteoutName("a/b"))).toEqual({ kind: "removed", path: "a/b" });
		expect(parseWhiteout(opaqueMarker("a/b"))).toEqual({ kind: "opaque", path: "a/b" });
	});
});

for (const [kind, permissions, mode] of [
	["directory", 0o755, 0x800001ed],
	["symlink", 0o777, 0x80001ff],
	["file", 0o4755, 0x8001ed],
	["directory", 0o1777, 0x801001ff],
	["character-device", 0o666, 0x42001b6],
] as const)
	test(`goFileMode() of a ${kind} with ${permissions.toString(8)}`, () =>
		expect(goFileMode(kind, permissions)).toBe(mode));
