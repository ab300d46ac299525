import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { mountFileSystem, unmountAll } from "../../../src/drivers/linux/mount.ts";
import { ImageBench } from "../../support/image-bench.ts";
import { tarOf } from "../../support/tar-builder.ts";

let disk: string;
let bench: ImageBench;
beforeEach(() => {
	disk = mkdtempSync(join(tmpdir(), "gantry-full-"));
	mountFileSystem("tmpfs", disk, ["size=4m"]);
	bench = new ImageBench(undefined, disk);
});
afterEach(() => {
	unmountAll(disk);
	rmSync(disk, { recursive: true, force: true });
});

const files = (...path: string[]) => readdirSync(join(disk, ...path));
const stored = () => [
	...files("snapshots/layers"),
	...files("snapshots/ingest"),
	...files("snapshots/removed"),
	...files("content/ingest"),
	...files("content/blobs/sha256"),
];

test("an import that fills the disk says so, leaves nothing, and what was there goes on", async () => {
	await bench.import(tarOf({ name: "small", content: "s" }), "small");
	const before = stored();
	const big = tarOf({ name: "big", content: Buffer.alloc(8 << 20, 1) });
	for (const tar of [big, gzipSync(big)])
		await expect(bench.import(tar, "big")).rejects.toMatchObject({
			kind: "system",
			message: expect.stringContaining("no space left on device"),
		});
	expect(stored()).toEqual(before);
	expect((await bench.save("small")).length).toBeGreaterThan(0);
	await bench.import(tarOf({ name: "next", content: "n" }), "next");
});

test("a load that fills the disk says so and leaves nothing", async () => {
	const layer = tarOf({ name: "l", content: Buffer.alloc(8 << 20, 1) });
	await expect(bench.load(gzipSync(tarOf({ name: "layer.tar", content: layer })))).rejects.toMatchObject({
		kind: "system",
		message: expect.stringContaining("no space left on device"),
	});
	expect(stored()).toEqual([]);
});
