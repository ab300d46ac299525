import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	chmodSync,
	linkSync,
	mkdirSync,
	mkdtempSync,
	realpathSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { sha256 } from "../../../src/base/digest.ts";
import type { PreparedSnapshot, Snapshotter } from "../../../src/core/snapshot/snapshotter.ts";
import { FsContentStore } from "../../../src/drivers/content-fs/fs-content-store.ts";
import { FsLayerApplier } from "../../../src/drivers/layer-fs/fs-layer-applier.ts";
import { OverlaySnapshotter } from "../../../src/drivers/snapshot-fs/overlay-snapshotter.ts";
import { VfsSnapshotter } from "../../../src/drivers/snapshot-fs/vfs-snapshotter.ts";
import { tarOf } from "../../support/tar-builder.ts";

const IMAGE = tarOf(
	{ name: "bin/" },
	{ name: "bin/sh", content: "#!" },
	{ name: "d/" },
	{ name: "d/a", content: "a" },
	{ name: "d/b", content: "b" },
	{ name: "d/e/" },
	{ name: "d/e/f", content: "f" },
	{ name: "x", content: "x" },
);

/** Name, what the container does, what `docker diff` shows. */
const CASES: readonly [string, (root: string) => void, readonly string[]][] = [
	["nothing", () => {}, []],
	["a new file in the root", (root) => writeFileSync(join(root, "new"), "n"), ["A /new"]],
	["a new file in a directory", (root) => writeFileSync(join(root, "d/new"), "n"), ["C /d", "A /d/new"]],
	[
		"a new directory with a file",
		(root) => {
			mkdirSync(join(root, "n/m"), { recursive: true });
			writeFileSync(join(root, "n/m/f"), "1");
		},
		["A /n", "A /n/m", "A /n/m/f"],
	],
	["a changed file", (root) => writeFileSync(join(root, "d/e/f"), "changed"), ["C /d", "C /d/e", "C /d/e/f"]],
	["changed permissions", (root) => chmodSync(join(root, "d/a"), 0o600), ["C /d", "C /d/a"]],
	["permissions of a directory", (root) => chmodSync(join(root, "d"), 0o700), ["C /d"]],
	["a changed time", (root) => utimesSync(join(root, "x"), 1, 1), ["C /x"]],
	["a removed file", (root) => rmSync(join(root, "d/a")), ["C /d", "D /d/a"]],
	["a removed tree", (root) => rmSync(join(root, "d"), { recursive: true }), ["D /d"]],
	[
		"a tree removed and made again",
		(root) => {
			rmSync(join(root, "d"), { recursive: true });
			mkdirSync(join(root, "d"));
			writeFileSync(join(root, "d/a"), "new a");
		},
		["C /d", "C /d/a", "D /d/b", "D /d/e"],
	],
	[
		"a file that became a directory",
		(root) => {
			rmSync(join(root, "x"));
			mkdirSync(join(root, "x"));
			writeFileSync(join(root, "x/y"), "y");
		},
		["C /x", "A /x/y"],
	],
	["a renamed file", (root) => renameSync(join(root, "x"), join(root, "y")), ["D /x", "A /y"]],
	[
		"made and removed again",
		(root) => {
			writeFileSync(join(root, "tmp"), "t");
			rmSync(join(root, "tmp"));
		},
		[],
	],
	["a link", (root) => symlinkSync("x", join(root, "l")), ["A /l"]],
];

const SIGNS = ["C", "A", "D"];

async function bytes(stream: Readable): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk);
	return Buffer.concat(chunks);
}

function names(tar: Buffer): string[] {
	const { stdout } = Bun.spawnSync(["tar", "-t"], { stdin: tar });
	return stdout.toString().split("\n").filter(Boolean);
}

for (const [driver, make] of [
	["overlay2", (root: string) => new OverlaySnapshotter(root)],
	["vfs", (root: string) => new VfsSnapshotter(root)],
] as const)
	describe(`changes of a container on ${driver}`, () => {
		let base: string;
		let snapshotter: Snapshotter;
		let applier: FsLayerApplier;
		beforeEach(async () => {
			base = realpathSync(mkdtempSync(join(tmpdir(), "gantry-changes-")));
			snapshotter = make(join(base, "snapshots"));
			applier = new FsLayerApplier(new FsContentStore(join(base, "content")));
			await addLayer(IMAGE, undefined);
		});
		afterEach(async () => {
			await snapshotter.cleanUp({ layers: new Set(), containers: new Set() });
			rmSync(base, { recursive: true, force: true });
		});

		async function addLayer(tar: Buffer, parent: ReturnType<typeof sha256> | undefined) {
			const ingest = await snapshotter.beginIngest(parent);
			await applier.apply(Readable.from([tar]), ingest.path);
			await ingest.commit(sha256(tar), parent);
			return sha256(tar);
		}
		async function container(id: string, layer = sha256(IMAGE)): Promise<PreparedSnapshot> {
			await snapshotter.prepare(id, layer);
			await snapshotter.mount(id);
			return snapshotter.find(id);
		}
		const changes = async ({ upperPath, lowerPaths, isWholeTree }: PreparedSnapshot) =>
			(await applier.changes(upperPath, lowerPaths, { wholeTree: isWholeTree })).map(
				({ Kind, Path }) => `${SIGNS[Kind]} ${Path}`,
			);
		function diff({ upperPath, lowerPaths, isWholeTree }: PreparedSnapshot): Promise<Buffer> {
			return bytes(applier.diff(upperPath, lowerPaths, { wholeTree: isWholeTree }));
		}

		for (const [name, act, want] of CASES)
			test(`${name}: shown as docker does, and the same again from the layer made of it`, async () => {
				const one = await container("one");
				act(one.mergedPath);
				expect(await changes(one)).toEqual([...want]);
				const tar = await diff(one);
				expect((await diff(one)).equals(tar)).toBe(true);
				if (want.length === 0) return;
				const two = await container("two", await addLayer(tar, sha256(IMAGE)));
				const compared = Bun.spawnSync(["diff", "--recursive", "--no-dereference", one.mergedPath, two.mergedPath]);
				expect(compared.stdout.toString() + compared.stderr.toString()).toBe("");
				expect(await changes(two)).toEqual([]);
			});

		test("a directory of which only the time was changed is in the layer alone", async () => {
			const one = await container("one");
			utimesSync(join(one.mergedPath, "d/e"), 978_307_200, 978_307_200);
			chmodSync(join(one.mergedPath, "bin"), statSync(join(one.mergedPath, "bin")).mode & 0o7777);
			expect(await changes(one)).toEqual([]);
			const tar = await diff(one);
			expect(names(tar)).toEqual(["d/", "d/e/"]);
			const two = await container("two", await addLayer(tar, sha256(IMAGE)));
			expect(statSync(join(two.mergedPath, "d/e")).mtimeMs).toBe(978_307_200_000);
			const { upperPath, lowerPaths, isWholeTree } = one;
			const before = { wholeTree: isWholeTree, directoryTimes: false };
			expect(names(await bytes(applier.diff(upperPath, lowerPaths, before)))).toEqual([]);
		});

		for (const name of ["d/.wh.a", "d/.wh..wh..opq", "d/.wh.e/in"])
			test(`${name} can be in no layer: to others it would be a removal`, async () => {
				const one = await container("one");
				mkdirSync(dirname(join(one.mergedPath, name)), { recursive: true });
				writeFileSync(join(one.mergedPath, name), "");
				const path = name.replace("/in", "");
				await expect(diff(one)).rejects.toThrow(`/${path}: no layer can have a file of that name`);
				if (one.isWholeTree) return;
				await expect(applier.measure(one.upperPath, one.lowerPaths)).rejects.toThrow(`/${path}: no layer`);
			});

		test("hard links stay links in the layer", async () => {
			const one = await container("one");
			writeFileSync(join(one.mergedPath, "n1"), "n");
			linkSync(join(one.mergedPath, "n1"), join(one.mergedPath, "n2"));
			const { stdout } = Bun.spawnSync(["tar", "-tv"], { stdin: await diff(one) });
			expect(stdout.toString()).toContain("n2 link to n1");
		});
	});
