/** The S3-compatible storage against a strict stand-in that speaks as much of the protocol as is used. */
import { afterAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryStorageContract } from "../../../src/core/registry/contract.ts";
import { FsRegistryStorage } from "../../../src/drivers/registry-storage-fs/fs-registry-storage.ts";
import { S3RegistryStorage } from "../../../src/drivers/registry-storage-s3/s3-registry-storage.ts";
import { pushBlob, pushImage, startRegistry } from "../../support/registry-server.ts";
import { S3_KEYS, S3Server } from "../../support/s3-server.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-s3-"));
const servers: Disposable[] = [];
afterAll(() => {
	for (const server of servers) server[Symbol.dispose]();
	rmSync(directory, { recursive: true, force: true });
});

function storageOn(server: S3Server): S3RegistryStorage {
	const place = {
		endpoint: server.endpoint,
		bucket: "b",
		prefix: "p/",
		...S3_KEYS,
		redirects: false,
	};
	return new S3RegistryStorage(place, new FsRegistryStorage(mkdtempSync(join(directory, "spool-"))));
}

registryStorageContract("S3RegistryStorage", async () => {
	// Small pages, so that lists are of several.
	const server = await S3Server.start({ pageSize: 2 });
	servers.push(server);
	return storageOn(server);
});

test("of many large files some are sent side by side, the rest after them: each takes memory", async () => {
	using server = await S3Server.start();
	const storage = storageOn(server);
	const names = Array.from({ length: 6 }, (_, index) => `uploads/${index}/data`);
	for (const name of names) {
		const writer = await storage.append(name, 0);
		await writer.write(Buffer.alloc(9 << 20, name));
		await writer.close();
	}
	await Promise.all(names.map((name) => storage.move(name, name.replace("uploads", "blobs"))));
	expect(server.keys()).toHaveLength(names.length);
	expect(server.mostUploads).toBe(2);
	await storage.close();
});

test("a registry over it pushes, pulls, mounts and deletes; the bucket has whole blobs only", async () => {
	using server = await S3Server.start();
	const credentials = join(directory, "credentials");
	writeFileSync(credentials, "id\nsecret\n");
	await using registry = await startRegistry([
		"--s3-endpoint",
		server.endpoint,
		"--s3-bucket",
		"b",
		"--s3-prefix",
		"reg",
		"--s3-region",
		S3_KEYS.region,
		"--s3-credentials",
		credentials,
	]);
	const bytes = randomBytes(30_000_000);
	const digest = await pushBlob(registry.url, "a/b", bytes);
	const image = await pushImage(registry.url, "a/b", "v1");
	const got = await fetch(`${registry.url}/v2/a/b/blobs/${digest}`);
	expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
	const part = await fetch(`${registry.url}/v2/a/b/blobs/${digest}`, { headers: { Range: "bytes=1000-1999" } });
	expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(1000, 2000))).toBe(true);
	expect(await (await fetch(`${registry.url}/v2/a/b/manifests/v1`)).text()).toBe(image.text);
	expect(
		(await fetch(`${registry.url}/v2/c/d/blobs/uploads/?mount=${digest}&from=a/b`, { method: "POST" })).status,
	).toBe(201);
	expect(await (await fetch(`${registry.url}/v2/_catalog`)).json()).toEqual({ repositories: ["a/b"] });
	expect((await fetch(`${registry.url}/v2/a/b/manifests/${image.digest}`, { method: "DELETE" })).status).toBe(202);
	expect((await fetch(`${registry.url}/v2/a/b/manifests/v1`)).status).toBe(404);
	expect(server.keys().filter((key) => key.includes("uploads"))).toEqual([]);
	expect(registry.log()).not.toContain("level=error");
});
