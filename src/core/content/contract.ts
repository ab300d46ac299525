/** What every content store promises, as tests. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "../../base/digest.ts";
import type { BlobInfo, ContentStore } from "./content-store.ts";

export function contentStoreContract(name: string, make: () => Promise<ContentStore>): void {
	const hello = Buffer.from("hello");
	const listed = async (store: ContentStore) => {
		const blobs: BlobInfo[] = [];
		for await (const blob of store.list()) blobs.push(blob);
		return blobs;
	};
	describe(`${name} as a content store`, () => {
		test("put() stores a blob under its digest", async () => {
			const store = await make();
			expect(await store.put(hello)).toEqual({ digest: sha256(hello), sizeBytes: 5 });
			expect(Buffer.from(await store.read(sha256(hello))).toString()).toBe("hello");
			expect(await store.has(sha256(hello))).toBe(true);
			expect(await listed(store)).toEqual([{ digest: sha256(hello), sizeBytes: 5 }]);
		});

		test("put() of the same bytes twice is one blob", async () => {
			const store = await make();
			await store.put(hello);
			await store.put(hello);
			expect(await listed(store)).toHaveLength(1);
		});

		test("a writer's blob is invisible before commit and complete after it", async () => {
			const store = await make();
			const writer = await store.writer();
			await writer.write(Buffer.from("he"));
			await writer.write(Buffer.from("llo"));
			expect(writer.offset).toBe(5);
			expect(await listed(store)).toEqual([]);
			expect((await writer.commit(sha256(hello))).digest).toBe(sha256(hello));
			const chunks: Buffer[] = [];
			for await (const chunk of store.stream(sha256(hello))) chunks.push(chunk);
			expect(Buffer.concat(chunks).toString()).toBe("hello");
		});

		test("a deferred blob shows at once, and flush() passes over what is gone", async () => {
			const store = await make();
			const writer = await store.writer();
			await writer.write(hello);
			await writer.commit(sha256(hello), { isDeferred: true });
			expect(await store.has(sha256(hello))).toBe(true);
			await store.flush([sha256(hello), sha256("gone")]);
			expect(Buffer.from(await store.read(sha256(hello))).toString()).toBe("hello");
		});

		test("commit() refuses other bytes than expected and keeps nothing", async () => {
			const store = await make();
			const writer = await store.writer();
			await writer.write(Buffer.from("other"));
			await expect(writer.commit(sha256(hello))).rejects.toMatchObject({ kind: "invalid-parameter" });
			expect(await listed(store)).toEqual([]);
		});

		test("abort() keeps nothing and may be called twice", async () => {
			const store = await make();
			const writer = await store.writer();
			await writer.write(hello);
			await writer.abort();
			await writer.abort();
			expect(await listed(store)).toEqual([]);
		});

		test("what is not there is a not-found error, and deleting it is none", async () => {
			const store = await make();
			expect(await store.has(sha256(hello))).toBe(false);
			await expect(store.info(sha256(hello))).rejects.toMatchObject({ kind: "not-found" });
			await expect(store.read(sha256(hello))).rejects.toMatchObject({ kind: "not-found" });
			await store.delete(sha256(hello));
			await store.put(hello);
			await store.delete(sha256(hello));
			expect(await store.has(sha256(hello))).toBe(false);
		});

		test("read() refuses blobs over the limit", async () => {
			const store = await make();
			await store.put(hello);
			await expect(store.read(sha256(hello), 4)).rejects.toMatchObject({ kind: "system" });
		});
	});
}
