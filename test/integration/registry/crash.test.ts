/** Deaths of the registry: whatever the moment, a blob is whole or not there, and what was acknowledged is there. */
import { expect, test } from "bun:test";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, pushBlob, pushImage, startRegistry } from "../../support/registry-server.ts";

const DEATHS = 15;

/** Every file of the blob store, hashed. */
function wrongBlobs(root: string): string[] {
	const blobs = join(root, "blobs/sha256");
	if (!existsSync(blobs)) return [];
	return readdirSync(blobs).flatMap((shard) =>
		readdirSync(join(blobs, shard)).filter(
			(hex) =>
				createHash("sha256")
					.update(readFileSync(join(blobs, shard, hex)))
					.digest("hex") !== hex,
		),
	);
}

test("kill -9 in the middle of uploads leaves no wrong blob and loses nothing acknowledged", async () => {
	const root = mkdtempSync(join(tmpdir(), "gantry-registry-crash-"));
	const acknowledged = new Map<string, string>();
	try {
		for (let death = 0; death < DEATHS; death++) {
			const registry = await startRegistry([], root);
			let alive = true;
			const pusher = async (worker: number) => {
				while (alive) {
					try {
						const name = `crash/w${worker}`;
						await pushBlob(registry.url, name, randomBytes(randomInt(1, 4_000_000)));
						const tag = `t${death}-${randomInt(1000)}`;
						acknowledged.set(`${name}:${tag}`, (await pushImage(registry.url, name, tag)).digest);
					} catch {
						// The server died under it.
						if (alive) await Bun.sleep(5);
					}
				}
			};
			const pushers = [0, 1, 2].map(pusher);
			await Bun.sleep(randomInt(50, 400));
			await registry.end("SIGKILL");
			alive = false;
			await Promise.all(pushers);
			expect(wrongBlobs(root)).toEqual([]);
		}
		expect(acknowledged.size).toBeGreaterThan(DEATHS);
		await using registry = await startRegistry([], root);
		for (const [key, digest] of acknowledged) {
			const [name, tag] = key.split(":");
			const response = await fetch(`${registry.url}/v2/${name}/manifests/${tag}`);
			const manifest: { config: { digest: string }; layers: { digest: string }[] } = JSON.parse(await response.text());
			expect([key, response.headers.get("docker-content-digest")]).toEqual([key, digest]);
			for (const part of [manifest.config, ...manifest.layers])
				expect((await fetch(`${registry.url}/v2/${name}/blobs/${part.digest}`)).status).toBe(200);
		}
		expect(registry.log()).not.toContain("level=error");
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
});

test("an upload goes on after the server's death, and is verified from the disk", async () => {
	const root = mkdtempSync(join(tmpdir(), "gantry-registry-crash-"));
	try {
		const bytes = randomBytes(5_000_000);
		const before = await startRegistry([], root);
		const begun = await fetch(`${before.url}/v2/a/b/blobs/uploads/`, { method: "POST" });
		const path = begun.headers.get("location") ?? "";
		await fetch(`${before.url}${path}`, { method: "PATCH", body: bytes.subarray(0, 3_000_000) });
		await before.end("SIGKILL");
		await using after = await startRegistry([], root);
		const status = await fetch(`${after.url}${path}`);
		expect([status.status, status.headers.get("range")]).toEqual([204, "0-2999999"]);
		const done = await fetch(`${after.url}${path}?digest=${digestOf(bytes)}`, {
			method: "PUT",
			body: bytes.subarray(3_000_000),
		});
		expect(done.status).toBe(201);
		expect(wrongBlobs(root)).toEqual([]);
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
});

test("the start removes uploads that nobody touched for long, and keeps the others", async () => {
	const root = mkdtempSync(join(tmpdir(), "gantry-registry-crash-"));
	try {
		const before = await startRegistry([], root);
		for (let i = 0; i < 2; i++) await fetch(`${before.url}/v2/a/b/blobs/uploads/`, { method: "POST" });
		await before.end("SIGKILL");
		const [stale = "", fresh = ""] = readdirSync(join(root, "uploads"));
		const old = new Date(Date.now() - 3_600_000);
		utimesSync(join(root, "uploads", stale, "repository"), old, old);
		await using after = await startRegistry(["--upload-expiry", "30m"], root);
		expect(readdirSync(join(after.root, "uploads"))).toEqual([fresh]);
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
});

test("a root is served by one process at a time", async () => {
	await using registry = await startRegistry();
	await expect(startRegistry([], registry.root)).rejects.toThrow(`served by another process (${registry.pid})`);
});
