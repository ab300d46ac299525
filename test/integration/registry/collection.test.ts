/** A collection that meets a push in its most awkward moment. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { sha256 } from "../../../src/base/digest.ts";
import { pathFor } from "../../../src/core/registry/paths.ts";
import { FsRegistryStorage } from "../../../src/drivers/registry-storage-fs/fs-registry-storage.ts";
import { BlobService } from "../../../src/registry/blobs.ts";
import { collectGarbage } from "../../../src/registry/garbage-collector.ts";
import { ManifestService } from "../../../src/registry/manifests.ts";
import { digestOf, pushImage, startRegistry } from "../../support/registry-server.ts";

const base = mkdtempSync(join(tmpdir(), "gantry-collection-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const digest = sha256("shared");

/** A repository `b/old` whose only blob nobody needs, long ago; `onList` is told of each directory the collector reads. */
async function makeRegistry(onList: (path: string, blobs: BlobService) => Promise<void>) {
	class WatchedStorage extends FsRegistryStorage {
		override async list(path: string): Promise<string[]> {
			const names = await super.list(path);
			await onList(path, blobs);
			return names;
		}
	}
	const root = mkdtempSync(join(base, "root-"));
	const storage = new WatchedStorage(root);
	const blobs = new BlobService(storage);
	await storage.write(pathFor({ kind: "blob", digest }), Buffer.from("shared"));
	await blobs.linkExisting("b/old", digest);
	const old = new Date(Date.now() - 86_400_000);
	for (const entry of readdirSync(root, { recursive: true, withFileTypes: true }))
		if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), old, old);
	const manifests = new ManifestService({ storage, blobs });
	const collect = () =>
		collectGarbage({ storage, blobs, manifests, clock: systemClock }, { graceMs: 3_600_000, collectsUntagged: true });
	return { blobs, collect };
}

test("a blob mounted into a repository that the collection has already passed stays", async () => {
	const { blobs, collect } = await makeRegistry(async (path, blobs) => {
		// The repositories under `a` would be read before those under `b`.
		if (path === "repositories/b/old") await blobs.mount("b/old", "a/new", digest);
	});
	expect(await collect()).toMatchObject({ blobs: 0 });
	expect((await blobs.stat("a/new", digest)).sizeBytes).toBe(6);
});

test("a blob that a push has just asked for stays", async () => {
	let asked = false;
	const { blobs, collect } = await makeRegistry(async (path, blobs) => {
		if (path !== "blobs/sha256" || asked) return;
		asked = true;
		await blobs.linkExisting("a/new", digest);
	});
	expect(await collect()).toMatchObject({ blobs: 0 });
	expect((await blobs.stat("a/new", digest)).sizeBytes).toBe(6);
});

test("the same blob goes when nobody asks", async () => {
	const { collect } = await makeRegistry(async () => {});
	expect(await collect()).toMatchObject({ blobs: 1, links: 1, sizeBytes: 6 });
});

test("kill -9 in the middle of collections takes nothing that is needed, and the next one finishes", async () => {
	const root = mkdtempSync(join(base, "killed-"));
	const flags = ["--gc-grace", "0", "--gc-untagged"];
	const kept: Awaited<ReturnType<typeof pushImage>>[] = [];
	let current = await startRegistry(flags, root);
	for (let i = 0; i < 15; i++) {
		kept.push(await pushImage(current.url, `kept/app${i % 3}`, `v${i}`));
		// The second push takes the tag away from the first: its blobs are garbage.
		await pushImage(current.url, `moved/app${i % 3}`, "latest");
	}
	const files = () =>
		readdirSync(join(root, "blobs"), { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
	const before = files().length;
	for (const delayMs of [0, 1, 3, 6, 10]) {
		process.kill(current.pid, "SIGUSR1");
		await Bun.sleep(delayMs);
		await current.end("SIGKILL");
		current = await startRegistry(flags, root);
	}
	const log = current.log().length;
	process.kill(current.pid, "SIGUSR1");
	while (!current.log().slice(log).includes("garbage collected")) await Bun.sleep(20);
	expect(files().length).toBeLessThan(before);
	for (const [i, { digest, layer, config, text }] of kept.entries()) {
		const name = `${current.url}/v2/kept/app${i % 3}`;
		const manifest = await (await fetch(`${name}/manifests/v${i}`)).text();
		expect(manifest).toBe(text);
		for (const blob of [layer, config])
			expect(digestOf(new Uint8Array(await (await fetch(`${name}/blobs/${blob}`)).arrayBuffer()))).toBe(blob);
		expect((await fetch(`${name}/manifests/${digest}`)).status).toBe(200);
	}
	// Manifest and layer of each image that a tag leads to, and the one configuration.
	expect(files()).toHaveLength(2 * (15 + 3) + 1);
	await current.end("SIGTERM");
}, 30_000);
