import { describe, expect, test } from "bun:test";
import { FileListing, type FileStat } from "./file-listing.ts";
import { kindOfMode, modeOf, permissionsOfMode } from "./file-mode.ts";

const DIRECTORY = 0x800001ed;
const SYMLINK = 0x080001ff;

function stat(path: string, change: Partial<FileStat> = {}): FileStat {
	return {
		path,
		mode: 0o644,
		uid: 0,
		gid: 0,
		size: 1,
		modifiedNs: 5n,
		linkName: "",
		deviceMajor: 0,
		deviceMinor: 0,
		xattrs: new Map(),
		...change,
	};
}

function listing(...stats: readonly FileStat[]): FileListing {
	const found = new FileListing();
	for (const each of stats) found.add(each);
	return found;
}

const directory = (path: string) => stat(path, { mode: DIRECTORY });
const link = (path: string, linkName: string) => stat(path, { mode: SYMLINK, linkName });

describe("FileListing", () => {
	test("numbers files as the client does, sockets included", () => {
		const found = listing(directory("a"), stat("a/socket", { mode: 0x01000000 + 0o644 }), stat("a/x"), link("l", "a"));
		expect(found.entries.map(({ path, kind }) => [path, kind])).toEqual([
			["a", "directory"],
			["a/x", "file"],
			["l", "symlink"],
		]);
		expect(found.ids).toEqual([0, 2, 3]);
	});

	test("knows the size of a file's further names", () => {
		const found = listing(stat("a", { size: 7 }), stat("b", { size: 0, linkName: "a" }));
		expect(found.entries.map(({ sizeBytes }) => sizeBytes)).toEqual([7, 7]);
	});

	for (const paths of [["../x"], ["/x"], ["a/x"], [""], ["."], ["x", "x"], ["x", "x/y"], ["a\0"], ["x//y"]])
		test(`refuses ${JSON.stringify(paths)}`, () => {
			expect(() => listing(...paths.map((path) => stat(path)))).toThrow("unexpected path");
		});

	test("has one digest for what is the same", () => {
		const digest = (change: Partial<FileStat>) => listing(stat("a", change)).digest();
		expect(digest({ uid: 5 })).toBe(digest({}));
		const digests = [{}, { size: 2 }, { mode: 0o600 }, { modifiedNs: 6n }].map(digest);
		expect(new Set(digests).size).toBe(4);
	});

	for (const [path, expected] of [
		["d/f", "d/f"],
		["l/f", "d/f"],
		["up", "d/f"],
		["absolute", "d/f"],
		["outside", "d"],
		["loop", undefined],
		["nothing", undefined],
		["d/f/g", undefined],
	] as const)
		test(`finds what ${path} leads to`, () => {
			const found = listing(
				link("absolute", "/d/f"),
				directory("d"),
				stat("d/f"),
				link("d/self", "../up"),
				link("l", "d"),
				link("loop", "loop"),
				link("outside", "../../d"),
				link("up", "./d/../d/f"),
			);
			expect(found.resolve(path)?.path).toBe(expected as string);
		});
});

describe("FileListing.behindLinks()", () => {
	const found = listing(
		link("lib", "usr/lib"),
		link("loop", "loop"),
		directory("usr"),
		directory("usr/lib"),
		stat("usr/lib/a"),
	);
	for (const [paths, expected] of [
		[["lib/a"], []],
		[
			["lib/a", "lib/b", "lib/c/d"],
			["usr/lib/b", "usr/lib/c/d"],
		],
		[["lib/b", "usr/lib/b"], []],
		[["lib/*.so"], ["usr/lib/*.so"]],
		[["nothing", "usr/nothing", "loop/x"], []],
	] as const)
		test(`of ${JSON.stringify(paths)}`, () => expect(found.behindLinks(paths)).toEqual([...expected]));
});

describe("Go's file modes", () => {
	for (const [mode, kind, permissions] of [
		[0o644, "file", 0o644],
		[DIRECTORY, "directory", 0o755],
		[SYMLINK, "symlink", 0o777],
		[0x02000000 + 0o600, "fifo", 0o600],
		[0x04200000 + 0o600, "character-device", 0o600],
		[0x04000000 + 0o600, "block-device", 0o600],
		[0x00800000 + 0o755, "file", 0o4755],
		[0x80100000 + 0o777, "directory", 0o1777],
		[0x00400000 + 0o711, "file", 0o2711],
	] as const)
		test(`${mode.toString(16)} is a ${kind} with ${permissions.toString(8)}, and back`, () => {
			expect([kindOfMode(mode), permissionsOfMode(mode)]).toEqual([kind, permissions]);
			expect(modeOf(kind, permissions)).toBe(mode);
		});
});
