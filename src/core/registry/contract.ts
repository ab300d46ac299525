/** What every registry storage promises, as tests. */
import { describe, expect, test } from "bun:test";
import type { RegistryStorage } from "./storage.ts";

const LIMIT_BYTES = 1 << 20;

export function registryStorageContract(name: string, make: () => Promise<RegistryStorage>): void {
	const text = async (storage: RegistryStorage, path: string) =>
		Buffer.from(await storage.read(path, LIMIT_BYTES)).toString();
	const streamed = async (storage: RegistryStorage, path: string, start: number, end: number) => {
		const body = await storage.open(path, { start, end });
		return await new Response(body).text();
	};

	describe(`${name} as a registry storage`, () => {
		test("write() makes a file with its directories, and replaces it", async () => {
			const storage = await make();
			await storage.write("a/b/c", Buffer.from("one"));
			expect(await text(storage, "a/b/c")).toBe("one");
			await storage.write("a/b/c", Buffer.from("second"));
			expect(await text(storage, "a/b/c")).toBe("second");
			expect(await storage.stat("a/b/c")).toMatchObject({ sizeBytes: 6, isDirectory: false });
		});

		test("an empty file is a file", async () => {
			const storage = await make();
			await storage.write("empty", new Uint8Array());
			expect(await text(storage, "empty")).toBe("");
			expect((await storage.stat("empty")).sizeBytes).toBe(0);
		});

		test("read() refuses files over the limit", async () => {
			const storage = await make();
			await storage.write("a", Buffer.from("hello"));
			await expect(storage.read("a", 4)).rejects.toMatchObject({ kind: "system" });
		});

		test("what is not there is a not-found error, an empty list, and deleting it is none", async () => {
			const storage = await make();
			await expect(storage.read("a", 1)).rejects.toMatchObject({ kind: "not-found" });
			await expect(storage.open("a")).rejects.toMatchObject({ kind: "not-found" });
			await expect(storage.stat("a")).rejects.toMatchObject({ kind: "not-found" });
			await expect(storage.move("a", "b")).rejects.toMatchObject({ kind: "not-found" });
			await expect(storage.touch("a")).rejects.toMatchObject({ kind: "not-found" });
			await expect(storage.append("a", 3)).rejects.toMatchObject({ kind: "not-found" });
			expect(await storage.list("a")).toEqual([]);
			await storage.delete("a");
		});

		test("open() gives a range", async () => {
			const storage = await make();
			await storage.write("a", Buffer.from("0123456789"));
			expect(await streamed(storage, "a", 2, 5)).toBe("234");
			expect(await streamed(storage, "a", 9, 10)).toBe("9");
			expect(await new Response(await storage.open("a")).text()).toBe("0123456789");
		});

		test("list() gives sorted names directly under a directory, and directories vanish with their last file", async () => {
			const storage = await make();
			for (const path of ["d/b", "d/a", "d/c/e", "d/c/f", "dd"]) await storage.write(path, Buffer.from(path));
			expect(await storage.list("d")).toEqual(["a", "b", "c"]);
			expect((await storage.stat("d/c")).isDirectory).toBe(true);
			await storage.delete("d/c/e");
			await storage.delete("d/c/f");
			expect(await storage.list("d")).toEqual(["a", "b"]);
		});

		test("delete() takes all that lies under a path and nothing beside it", async () => {
			const storage = await make();
			for (const path of ["d/a", "d/e/b", "da"]) await storage.write(path, Buffer.from(path));
			await storage.delete("d");
			expect(await storage.list("d")).toEqual([]);
			expect(await text(storage, "da")).toBe("da");
		});

		test("append() goes on where an earlier writer closed", async () => {
			const storage = await make();
			const first = await storage.append("u/data", 0);
			await first.write(Buffer.from("hello "));
			expect(first.offset).toBe(6);
			await first.close();
			await first.close();
			expect((await storage.stat("u/data")).sizeBytes).toBe(6);
			const second = await storage.append("u/data", 6);
			await second.write(Buffer.from("world"));
			await second.commit();
			await storage.move("u/data", "blobs/x");
			expect(await text(storage, "blobs/x")).toBe("hello world");
			await expect(storage.stat("u/data")).rejects.toMatchObject({ kind: "not-found" });
		});

		test("append() cuts what lies behind its offset and refuses a gap", async () => {
			const storage = await make();
			const first = await storage.append("u", 0);
			await first.write(Buffer.from("0123456789"));
			await first.close();
			await expect(storage.append("u", 11)).rejects.toMatchObject({ kind: "conflict" });
			const second = await storage.append("u", 4);
			await second.write(Buffer.from("x"));
			await second.commit();
			expect(await text(storage, "u")).toBe("0123x");
		});

		test("append() takes large chunks and small ones, and may reuse their memory", async () => {
			const storage = await make();
			const writer = await storage.append("big", 0);
			const chunk = new Uint8Array(700_001);
			for (let i = 1; i <= 30; i++) await writer.write(chunk.fill(i));
			expect(writer.offset).toBe(30 * 700_001);
			await writer.commit();
			expect((await storage.stat("big")).sizeBytes).toBe(30 * 700_001);
			const bytes = new Uint8Array(await new Response(await storage.open("big")).arrayBuffer());
			for (let i = 0; i < 30; i++) expect([bytes[i * 700_001], bytes[(i + 1) * 700_001 - 1]]).toEqual([i + 1, i + 1]);
		});

		test("an empty file can be made by appending nothing", async () => {
			const storage = await make();
			const writer = await storage.append("none", 0);
			await writer.commit();
			expect((await storage.stat("none")).sizeBytes).toBe(0);
		});

		test("move() replaces its target", async () => {
			const storage = await make();
			await storage.write("a", Buffer.from("new"));
			await storage.write("b/c", Buffer.from("old"));
			await storage.move("a", "b/c");
			expect(await text(storage, "b/c")).toBe("new");
		});

		test("touch() renews the time", async () => {
			const storage = await make();
			await storage.write("a", Buffer.from("a"));
			const before = (await storage.stat("a")).modifiedMs;
			await Bun.sleep(1100);
			await storage.touch("a");
			expect((await storage.stat("a")).modifiedMs).toBeGreaterThan(before);
			expect(await text(storage, "a")).toBe("a");
		});

		test("paths that would leave the storage are refused", async () => {
			const storage = await make();
			for (const path of ["../a", "a/../../b", "/etc/passwd", "", "a//b", "a/./b", "a\0b"])
				await expect(storage.write(path, Buffer.from("x"))).rejects.toMatchObject({ kind: "invalid-parameter" });
		});

		test("many writers and deleters of one directory do not disturb each other", async () => {
			const storage = await make();
			const one = async (i: number) => {
				await storage.write(`shared/deep/${i}`, Buffer.from("x"));
				await storage.delete(`shared/deep/${i}`);
			};
			for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 8 }, (_, i) => one(i)));
			expect(await storage.list("shared/deep")).toEqual([]);
		});
	});
}
