/** Volumes copied and unpacked onto a disk that is full. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { FsTreeArchiver } from "../../../src/drivers/layer-fs/fs-tree-archiver.ts";
import { MemoryContainerStore } from "../../../src/drivers/store-memory/container-store.ts";
import { MemoryVolumeStore } from "../../../src/drivers/store-memory/volume-store.ts";
import { FsVolumeDriver } from "../../../src/drivers/volume-local/fs-volume-driver.ts";
import { FsVolumeTrees } from "../../../src/drivers/volume-local/fs-volume-trees.ts";
import { ContainerRegistry } from "../../../src/engine/container/registry.ts";
import { EventBus } from "../../../src/engine/event/event-bus.ts";
import { StillVolumes } from "../../../src/engine/volume/still-volumes.ts";
import { VolumeRegistry } from "../../../src/engine/volume/volume-registry.ts";
import { VolumeService } from "../../../src/engine/volume/volume-service.ts";
import { LoopFileSystem } from "../../support/loop-file-system.ts";
import { tarOf } from "../../support/tar-builder.ts";
import { noVolumePlugins } from "../engine/fake-machine.ts";

const MB = 1024 ** 2;
let disk: LoopFileSystem;

beforeAll(async () => {
	disk = await LoopFileSystem.make({ type: "ext4", sizeBytes: 32 * MB });
});
afterAll(() => disk[Symbol.asyncDispose]());

function services(store: MemoryVolumeStore) {
	const trees = new FsVolumeTrees();
	const root = join(disk.path, "volumes");
	mkdirSync(root, { recursive: true });
	const registry = new VolumeRegistry(store);
	registry.load();
	const containers = new ContainerRegistry(new MemoryContainerStore());
	const logger = silentLogger;
	const volumes = new VolumeService({
		registry,
		driver: new FsVolumeDriver(root, trees),
		trees,
		plugins: noVolumePlugins,
		containers,
		events: new EventBus(systemClock),
		clock: systemClock,
		logger,
	});
	const pausing = { pause: async () => {}, unpause: async () => {} };
	const still = new StillVolumes({ registry, containers, pausing, logger });
	return { volumes, copies: volumes.copies({ archiver: new FsTreeArchiver(), still }), root };
}

test("what does not fit is an error, leaves no volume behind, and harms none that is there", async () => {
	const store = new MemoryVolumeStore();
	const { volumes, copies, root } = services(store);
	const big = tarOf({ name: "big", content: new Uint8Array(40 * MB) });
	await expect(copies.import("tooBig", Readable.from([big]), { merge: false })).rejects.toThrow(
		"no space left on device",
	);
	await volumes.create({ Name: "half" });
	const { Mountpoint } = await volumes.inspect("half");
	writeFileSync(join(Mountpoint, "file"), Buffer.alloc(16 * MB, 1));
	const clone = async () => {
		for await (const _ of copies.clone("half", { newName: "twice", pause: false }, new AbortController().signal));
	};
	await expect(clone()).rejects.toThrow(/failed to copy file: .*no space left on device/i);
	await expect(copies.import("half", Readable.from([big]), { merge: true })).rejects.toThrow("no space left on device");
	expect(store.list().map(({ name, making }) => [name, making])).toEqual([["half", undefined]]);
	expect(readdirSync(root)).toEqual(["half"]);
	expect(readdirSync(Mountpoint)).toContain("file");
	await volumes.remove("half", { force: false });
	expect(existsSync(Mountpoint)).toBe(false);
});
