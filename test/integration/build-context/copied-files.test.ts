/** What COPY makes on real files, apart from what it takes over from the source. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	realpathSync,
	rmSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileSelection } from "../../../src/core/build/build-directories.ts";
import { FsBuildFiles } from "../../../src/drivers/build-fs/fs-build-files.ts";
import { FsTreeArchiver } from "../../../src/drivers/layer-fs/fs-tree-archiver.ts";

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
