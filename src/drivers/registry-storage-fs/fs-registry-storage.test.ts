import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryStorageContract } from "../../core/registry/contract.ts";
import { FsRegistryStorage } from "./fs-registry-storage.ts";

const base = mkdtempSync(join(tmpdir(), "gantry-registry-storage-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const makeRoot = () => mkdtempSync(join(base, "root-"));

registryStorageContract("FsRegistryStorage", async () => new FsRegistryStorage(makeRoot()));

test("cleanUp() removes what a dead process left half-written", async () => {
	const root = makeRoot();
	const storage = new FsRegistryStorage(root);
	writeFileSync(join(root, "tmp", "half"), "ha");
	await storage.cleanUp();
	expect(readdirSync(join(root, "tmp"))).toEqual([]);
});

test("a full disk is told by the write or the commit, not swallowed", async () => {
	const storage = new FsRegistryStorage(makeRoot());
	const writer = await storage.append("u", 0);
	await writer.file.close();
	await writer.write(Buffer.from("x"));
	await expect(writer.commit()).rejects.toMatchObject({ kind: "system" });
});
