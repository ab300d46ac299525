import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SnapshotterFixture, snapshotterContract } from "../../../src/core/snapshot/contract.ts";
import type { Snapshotter } from "../../../src/core/snapshot/snapshotter.ts";
import { mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import { RootDirectory } from "../../../src/drivers/linux/root-directory.ts";
import { openSnapshotter } from "../../../src/drivers/snapshot-fs/open-snapshotter.ts";
import { OverlaySnapshotter } from "../../../src/drivers/snapshot-fs/overlay-snapshotter.ts";
import { VfsSnapshotter } from "../../../src/drivers/snapshot-fs/vfs-snapshotter.ts";

function fixture(make: (root: string) => Snapshotter): () => Promise<SnapshotterFixture> {
	return async () => {
		const root = realpathSync(mkdtempSync(join(tmpdir(), "gantry-snapshots-")));
		const snapshotter = make(root);
		return {
			snapshotter,
			reopen: () => make(root),
			whiteOut(path) {
				using directory = RootDirectory.open(root);
				directory.makeNode(path.slice(root.length), "character-device", 0);
			},
			mounts: () => mountsUnder(readMountInfo(), root).map(({ mountPoint }) => mountPoint),
			async [Symbol.asyncDispose]() {
				await make(root).cleanUp({ layers: new Set(), containers: new Set() });
				rmSync(root, { recursive: true, force: true });
			},
		};
	};
}

snapshotterContract(
	"OverlaySnapshotter",
	fixture((root) => new OverlaySnapshotter(root)),
);
snapshotterContract(
	"VfsSnapshotter",
	fixture((root) => new VfsSnapshotter(root)),
);

test("openSnapshotter() stays with the driver that made the directory and refuses unknown ones", () => {
	const root = mkdtempSync(join(tmpdir(), "gantry-snapshots-"));
	try {
		expect(openSnapshotter(root, "vfs").name).toBe("vfs");
		expect(openSnapshotter(root).name).toBe("vfs");
		expect(() => openSnapshotter(root, "btrfs")).toThrow('storage driver "btrfs" is not supported');
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
});

test("the image's own symlinks lead where they do in the container when mount points are made", async () => {
	await using bench = await fixture((root) => new OverlaySnapshotter(root))();
	const ingest = await bench.snapshotter.beginIngest(undefined);
	mkdirSync(join(ingest.path, "usr/etc"), { recursive: true });
	writeFileSync(join(ingest.path, "usr/etc/hosts"), "mine");
	using directory = RootDirectory.open(ingest.path);
	directory.makeSymlink("/usr/etc", "etc");
	await ingest.commit(`sha256:${"1".repeat(64)}` as never, undefined);
	await bench.snapshotter.prepare("one", `sha256:${"1".repeat(64)}` as never);
	const { mergedPath } = await bench.snapshotter.mount("one");
	using merged = RootDirectory.open(mergedPath);
	expect(merged.status("etc").kind).toBe("symlink");
	expect(merged.readDirectory("usr/etc").map(String).sort()).toEqual(["hostname", "hosts", "mtab", "resolv.conf"]);
	expect(merged.status("usr/etc/hosts").sizeBytes).toBe(4);
});

test("trees nested deeper than any path is long are measured and removed", async () => {
	await using bench = await fixture((root) => new OverlaySnapshotter(root))();
	const { upperPath } = await bench.snapshotter.prepare("one", undefined);
	let directory = RootDirectory.open(upperPath);
	for (let depth = 0; depth < 60; depth++) {
		const name = "d".repeat(200);
		directory.makeDirectory(name, 0o755);
		const next = directory.openDirectory(name);
		directory.close();
		directory = next;
	}
	directory.close();
	expect((await bench.snapshotter.containerUsage("one")).inodes).toBeGreaterThan(10);
	await bench.snapshotter.remove("one");
	expect(readdirSync(join(upperPath, "../../../removed"))).toEqual([]);
});
