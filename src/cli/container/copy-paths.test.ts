import { describe, expect, test } from "bun:test";
import {
	absoluteCopyPath,
	type CopyPlan,
	planCopy,
	rebaseAfterLink,
	renameEntry,
	resolveLink,
	splitCopyArgument,
	splitEntry,
} from "./copy-paths.ts";

test("splitCopyArgument() tells containers from local paths", () => {
	const cases: [string, string, string][] = [
		["web:/etc", "web", "/etc"],
		["web:etc:x", "web", "etc:x"],
		["/a:b", "", "/a:b"],
		["./a:b", "", "./a:b"],
		["..:b", "", "..:b"],
		["file", "", "file"],
		["-", "", "-"],
	];
	expect(cases.map(([argument]) => splitCopyArgument(argument))).toEqual(
		cases.map(([, container, path]) => ({ container, path })),
	);
});

test("splitEntry() keeps the dot that stands for a directory's contents", () => {
	const cases: [string, string, string][] = [
		["/a/b", "/a/", "b"],
		["/a/b/", "/a/", "b"],
		["/a/b/.", "/a/b/", "."],
		["/", "/", ""],
		["/.", "/", "."],
	];
	expect(cases.map(([path]) => splitEntry(path))).toEqual(cases.map(([, directory, base]) => ({ directory, base })));
});

describe("planCopy()", () => {
	const file = { path: "/src/f", isDirectory: false };
	const folder = { path: "/src/d", isDirectory: true };
	const contents = { path: "/src/d/.", isDirectory: true };
	const at = (path: string, kind: "missing" | "file" | "directory") => ({
		path,
		exists: kind !== "missing",
		isDirectory: kind === "directory",
	});
	const cases: [string, Parameters<typeof planCopy>, CopyPlan | string][] = [
		["a file into a directory", [file, at("/x", "directory")], { directory: "/x" }],
		["a file onto a file", [file, at("/x/g", "file")], { directory: "/x", rename: { from: "f", to: "g" } }],
		["a file to a new name", [file, at("/x/g", "missing")], { directory: "/x", rename: { from: "f", to: "g" } }],
		["a file to a directory that is asserted but missing", [file, at("/x/g/", "missing")], "no such directory"],
		["a file to nowhere", [file, at("", "missing")], "no such directory"],
		["a directory into a directory", [folder, at("/x", "directory")], { directory: "/x" }],
		["a directory to a new name", [folder, at("/x/e", "missing")], { directory: "/x", rename: { from: "d", to: "e" } }],
		["a directory onto a file", [folder, at("/x/g", "file")], "cannot copy directory"],
		["contents to a new name", [contents, at("/x/e", "missing")], { directory: "/x", rename: { from: ".", to: "e" } }],
		[
			"what a link led to",
			[{ ...file, rebaseName: "l" }, at("/g", "missing")],
			{ directory: "/", rename: { from: "l", to: "g" } },
		],
	];
	for (const [name, [source, destination], want] of cases)
		test(name, () => {
			if (typeof want === "string") expect(() => planCopy(source, destination)).toThrow(want);
			else expect(planCopy(source, destination)).toEqual(want);
		});
});

test("renameEntry() changes the beginning of a name only", () => {
	expect([
		renameEntry("d/d/f", { from: "d", to: "e" }),
		renameEntry("./f", { from: ".", to: "e" }),
		renameEntry("etc/", { from: "/", to: "new/" }),
	]).toEqual(["e/d/f", "e/f", "new/etc/"]);
});

test("links are followed from where they are, and keep the spelling's meaning", () => {
	expect([resolveLink("/a/l", "b"), resolveLink("/a/l", "../b"), resolveLink("/a/l", "/b")]).toEqual([
		"/a/b",
		"/b",
		"/b",
	]);
	expect([rebaseAfterLink("/a/l", "/b"), rebaseAfterLink("/a/l/.", "/b"), rebaseAfterLink("/a/l/", "/b")]).toEqual([
		{ path: "/b", rebaseName: "l" },
		{ path: "/b/.", rebaseName: "" },
		{ path: "/b/", rebaseName: "l" },
	]);
});

test("absoluteCopyPath() keeps a trailing slash and dot", () => {
	const paths = ["x", "x/", "x/.", ".", "/a/../b/", "/"];
	expect(paths.map((path) => absoluteCopyPath(path, "/w"))).toEqual(["/w/x", "/w/x/", "/w/x/.", "/w/.", "/b/", "/"]);
});
