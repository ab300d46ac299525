import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestHex } from "../../base/digest.ts";
import { contentStoreContract } from "../../core/content/contract.ts";
import { FsContentStore } from "./fs-content-store.ts";

const base = mkdtempSync(join(tmpdir(), "gantry-content-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const makeRoot = () => mkdtempSync(join(base, "store-"));

contentStoreContract("FsContentStore", async () => new FsContentStore(makeRoot()));

test("cleanUp() removes what a dead writer left", async () => {
	const root = makeRoot();
	const writer = await new FsContentStore(root).writer();
	await writer.write(Buffer.from("half"));
	const next = new FsContentStore(root);
	await next.cleanUp();
	expect(readdirSync(join(root, "ingest"))).toEqual([]);
	await writer.abort();
});

test("read() notices a blob that changed on disk", async () => {
	const root = makeRoot();
	const store = new FsContentStore(root);
	const { digest } = await store.put(Buffer.from("hello"));
	writeFileSync(join(root, "blobs", "sha256", digestHex(digest)), "hullo");
	await expect(store.read(digest)).rejects.toMatchObject({ kind: "system" });
});
