import { describe, expect, test } from "bun:test";
import { type ContextEntry, decodeListing, type ListedFile, ListingEncoder } from "./context-listing.ts";
import { planContext } from "./context-plan.ts";

const FILE: ListedFile = {
	kind: "file",
	permissions: 0o644,
	sizeBytes: 5,
	modifiedNs: 1_700_000_000_123_456_789n,
	changedNs: 1_700_000_000_987_654_321n,
	inode: 42n,
	target: "",
	device: 0,
};
const DIRECTORY: ListedFile = { ...FILE, kind: "directory", permissions: 0o755, sizeBytes: 4096 };

function file(path: string, changes: Partial<ContextEntry> = {}): ContextEntry {
	return { path, ...FILE, ...changes };
}

function directory(path: string, changes: Partial<ContextEntry> = {}): ContextEntry {
	return { path, ...DIRECTORY, ...changes };
}

describe("a listing", () => {
	test("is read as it was written", () => {
		const encoder = new ListingEncoder();
		const a = encoder.add(0, "a", DIRECTORY);
		const deep = encoder.add(a, "ü b", { ...DIRECTORY, permissions: 0o7777, modifiedNs: -5n });
		encoder.add(deep, "file", FILE);
		encoder.add(a, "link", { ...FILE, kind: "symlink", target: "../x" });
		encoder.add(0, "null", { ...FILE, kind: "character-device", device: 259, sizeBytes: 0 });
		expect(encoder.count).toBe(5);
		expect(decodeListing(encoder.bytes())).toEqual([
			directory("a"),
			directory("a/ü b", { permissions: 0o7777, modifiedNs: -5n }),
			file("a/ü b/file"),
			file("a/link", { kind: "symlink", target: "../x" }),
			file("null", { kind: "character-device", device: 259, sizeBytes: 0 }),
		]);
	});

	test("grows as long as it must", () => {
		const encoder = new ListingEncoder();
		for (let index = 0; index < 10_000; index++) encoder.add(0, `name-${index}`, FILE);
		const entries = decodeListing(encoder.bytes());
		expect([entries.length, entries[9_999]?.path]).toEqual([10_000, "name-9999"]);
	});

	const bad: [string, (encoder: ListingEncoder) => void][] = [
		["a name with a slash", (encoder) => encoder.add(0, "a/b", FILE)],
		["the name ..", (encoder) => encoder.add(0, "..", FILE)],
		["the name .", (encoder) => encoder.add(0, ".", FILE)],
		["an empty name", (encoder) => encoder.add(0, "", FILE)],
		["a name with a zero byte", (encoder) => encoder.add(0, "a\0b", FILE)],
		["a parent that comes later", (encoder) => encoder.add(1, "a", FILE)],
		["a parent that is a file", (encoder) => encoder.add(encoder.add(0, "a", FILE), "b", FILE)],
		[
			"a parent that is a symlink",
			(encoder) => encoder.add(encoder.add(0, "a", { ...FILE, kind: "symlink", target: "/etc" }), "b", FILE),
		],
		["the same path twice", (encoder) => [1, 2].map(() => encoder.add(0, "a", FILE))],
	];
	for (const [what, add] of bad)
		test(`with ${what} is refused`, () => {
			const encoder = new ListingEncoder();
			add(encoder);
			expect(() => decodeListing(encoder.bytes())).toThrow("malformed listing");
		});

	test("that is cut anywhere is refused or shorter, and never read beyond its end", () => {
		const encoder = new ListingEncoder();
		encoder.add(encoder.add(0, "dir", DIRECTORY), "link", { ...FILE, kind: "symlink", target: "t" });
		const bytes = encoder.bytes();
		for (let length = 0; length < bytes.length; length++) {
			const decode = () => decodeListing(bytes.subarray(0, length)).length;
			if (length === 0 || length === 44) expect(decode()).toBeLessThan(2);
			else expect(decode).toThrow("malformed listing");
		}
	});
});

describe("planContext()", () => {
	const tree = [directory("a"), file("a/x"), file("b")];

	test("asks for everything when nothing is kept", () => {
		const plan = planContext([], tree);
		expect([plan.made, plan.wanted, plan.wantedBytes, plan.removed]).toEqual([[directory("a")], [1, 2], 10, []]);
	});

	test("does nothing when nothing has changed", () => {
		const { removed, made, wanted, touched, disturbed } = planContext(tree, tree);
		expect([removed, made, wanted, touched, disturbed]).toEqual([[], [], [], [], []]);
	});

	for (const [what, change] of [
		["time of change", { changedNs: 1n }],
		["time", { modifiedNs: 1n }],
		["size", { sizeBytes: 6 }],
		["inode", { inode: 7n }],
		["permissions", { permissions: 0o600 }],
	] as const)
		test(`asks for a file of another ${what} alone, and restores the times of its directory`, () => {
			const plan = planContext(tree, [directory("a"), file("a/x", change), file("b")]);
			expect([plan.wanted, plan.made, plan.removed, plan.disturbed]).toEqual([[1], [], [], [directory("a")]]);
		});

	test("removes what is gone, children first", () => {
		const plan = planContext(tree, [file("b")]);
		expect([plan.removed, plan.wanted]).toEqual([["a/x", "a"], []]);
	});

	test("replaces a directory by a file, and a file by a directory", () => {
		const plan = planContext(tree, [file("a"), directory("b"), file("b/y")]);
		expect([plan.removed, plan.made, plan.wanted]).toEqual([["b", "a/x", "a"], [directory("b")], [0, 2]]);
	});

	test("makes a symlink anew when it points elsewhere", () => {
		const link = (target: string) => file("l", { kind: "symlink", target });
		expect(planContext([link("a")], [link("a")]).made).toEqual([]);
		const plan = planContext([link("a")], [link("b")]);
		expect([plan.removed, plan.made, plan.wanted]).toEqual([["l"], [link("b")], []]);
	});

	test("gives a directory its new permissions", () => {
		const plan = planContext(tree, [directory("a", { permissions: 0o700 }), file("a/x"), file("b")]);
		expect([plan.touched, plan.wanted]).toEqual([[directory("a", { permissions: 0o700 })], []]);
	});
});
