/** What COPY makes on real files, apart from what it takes over from the source. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	rmSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../../src/base/digest.ts";
import type { FileSelection } from "../../../src/core/build/build-directories.ts";
import { FreshFiles } from "../../../src/core/diff/fresh-files.ts";
import { FsBuildFiles } from "../../../src/drivers/build-fs/fs-build-files.ts";
import { FsContentStore } from "../../../src/drivers/content-fs/fs-content-store.ts";
import { FsLayerApplier } from "../../../src/drivers/layer-fs/fs-layer-applier.ts";
import { FsTreeArchiver } from "../../../src/drivers/layer-fs/fs-tree-archiver.ts";
import { RootDirectory } from "../../../src/drivers/linux/root-directory.ts";

const GROUP = 4321;

let base: string;
const files = new FsBuildFiles({ archiver: new FsTreeArchiver() });

beforeEach(() => {
	base = realpathSync(mkdtempSync(join(tmpdir(), "gantry-copies-")));
	mkdirSync(join(base, "from/tree/sub"), { recursive: true });
	mkdirSync(join(base, "to/shared"), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function selection(...sources: string[]): FileSelection {
	return { root: join(base, "from"), sources, ignore: [], exclude: [], parents: false };
}

async function copy(sources: readonly string[], destination: string): Promise<void> {
	const options = { owner: { uid: 0, gid: 0 }, chmod: undefined, unpack: undefined };
	await files.copy(selection(...sources), { root: join(base, "to") }, destination, options);
}

test("what is made in a directory that hands on its group belongs to whom it was given", async () => {
	writeFileSync(join(base, "from/tree/sub/file"), "content");
	writeFileSync(join(base, "from/one"), "content");
	chownSync(join(base, "to/shared"), 0, GROUP);
	chmodSync(join(base, "to/shared"), 0o2775);
	await copy(["tree"], "/shared/new");
	await copy(["one"], "/shared/deep/one");
	await copy(["one"], "/shared/");
	const made = ["new", "new/sub", "new/sub/file", "deep", "deep/one", "one"].map((name) => {
		const { gid, mode } = lstatSync(join(base, "to/shared", name));
		return [name, gid, mode & 0o7000];
	});
	expect(made).toEqual([
		["new", 0, 0],
		["new/sub", 0, 0],
		["new/sub/file", 0, 0],
		["deep", 0, 0],
		["deep/one", 0, 0],
		["one", 0, 0],
	]);
});

test("small and large files keep contents, permissions and times", async () => {
	const sizes = { empty: 0, small: 5, piece: 1 << 17, more: (1 << 17) + 1, large: 3_000_000 };
	for (const [name, size] of Object.entries(sizes)) {
		const path = join(base, "from/tree", name);
		writeFileSync(path, Buffer.alloc(size, name));
		chmodSync(path, 0o4750);
		utimesSync(path, 1, 1_234_567);
	}
	await copy(["tree"], "/tree");
	for (const [name, size] of Object.entries(sizes)) {
		const path = join(base, "to/tree", name);
		const { mode, mtimeMs } = lstatSync(path);
		expect([name, mode & 0o7777, mtimeMs]).toEqual([name, 0o4750, 1_234_567_000]);
		expect(readFileSync(path).equals(Buffer.alloc(size, name))).toBe(true);
	}
});

test("the digest of a new tree is the same from contents at hand as from the files", async () => {
	const sizes = { empty: 0, small: 5, block: 512, piece: (1 << 17) - 1, large: 300_000 };
	for (const [name, size] of Object.entries(sizes))
		writeFileSync(join(base, "from/tree", name), Buffer.alloc(size, name));
	writeFileSync(join(base, "from/tree/sub", `${"long".repeat(40)}é`), "text");
	chmodSync(join(base, "from/tree/small"), 0o6755);
	chmodSync(join(base, "from/tree/block"), 0o1466);
	writeFileSync(join(base, "from/tree/marked"), "marked");
	using source = RootDirectory.open(join(base, "from"));
	for (const path of ["tree/sub", "tree/marked"]) source.setAttribute(path, "user.gantry", Buffer.from("value"));
	const fresh = new FreshFiles();
	const to = join(base, "to");
	let flushes = 0;
	const startFlush = () => void flushes++;
	const upper = { path: to, fresh, detach: async () => {}, startFlush };
	const options = { owner: { uid: 0, gid: 0 }, chmod: undefined, unpack: undefined };
	await files.copy(selection("tree"), { root: to, upper }, "/new", options);
	expect(flushes).toBe(0);
	expect(fresh.contents("new/small", 5)).toEqual(new Uint8Array(Buffer.from("small")));
	expect(fresh.contents("new/marked", 6)).toBeUndefined();
	const applier = new FsLayerApplier(new FsContentStore(join(base, "content")));
	const measured = await applier.measure(to, []);
	expect(await applier.measure(to, [], fresh)).toEqual(measured);
	const tar: Buffer[] = [];
	for await (const chunk of applier.diff(to, [])) tar.push(chunk);
	expect(sha256(Buffer.concat(tar))).toBe(measured.diffId);
	// Of another size by now: not what was copied.
	writeFileSync(join(to, "new/small"), "other text");
	expect(await applier.measure(to, [], fresh)).toEqual(await applier.measure(to, []));
});

test("many files begin to go to the disk while the others are copied", async () => {
	for (let number = 0; number < 300; number++) writeFileSync(join(base, "from/tree", String(number)), "text");
	const to = join(base, "to");
	const seen: number[] = [];
	const startFlush = () => void seen.push(readdirSync(join(to, "new")).length);
	const upper = { path: to, fresh: new FreshFiles(), detach: async () => {}, startFlush };
	const options = { owner: { uid: 0, gid: 0 }, chmod: undefined, unpack: undefined };
	await files.copy(selection("tree"), { root: to, upper }, "/new", options);
	expect(seen.length).toBe(2);
	expect(seen[0]).toBeLessThan(300);
	expect(seen[1]).toBe(301);
});
