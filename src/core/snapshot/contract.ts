/** What every snapshotter promises, as tests on a real file system. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, sha256 } from "../../base/digest.ts";
import type { Snapshotter } from "./snapshotter.ts";

export interface SnapshotterFixture extends AsyncDisposable {
	readonly snapshotter: Snapshotter;
	/** Another one on the same directory, as after a restart. */
	reopen(): Snapshotter;
	/** Makes `path` a whiteout, as a layer has it. */
	whiteOut(path: string): void;
	/** Paths of mounts left under the fixture's directory. */
	mounts(): string[];
}

export function snapshotterContract(name: string, make: () => Promise<SnapshotterFixture>): void {
	let fixture: SnapshotterFixture;
	let snapshotter: Snapshotter;
	beforeEach(async () => {
		fixture = await make();
		snapshotter = fixture.snapshotter;
	});
	afterEach(async () => {
		await fixture[Symbol.asyncDispose]();
		expect(fixture.mounts()).toEqual([]);
	});

	/** Commits a layer with these files (`null`: whiteout). */
	const commit = async (parent: Digest | undefined, files: Record<string, string | null>) => {
		const ingest = await snapshotter.beginIngest(parent);
		for (const [path, text] of Object.entries(files)) {
			const target = join(ingest.path, path);
			mkdirSync(join(target, ".."), { recursive: true });
			if (text === null) fixture.whiteOut(target);
			else writeFileSync(target, text);
		}
		const chainId = sha256(`${parent ?? ""} ${JSON.stringify(files)}`);
		await ingest.commit(chainId, parent);
		return chainId;
	};
	const keep = (layers: Digest[], containers: string[]) => ({
		layers: new Set(layers),
		containers: new Set(containers),
	});

	describe(`${name} as a snapshotter`, () => {
		test("a layer is there after commit only, with its parents in its stack", async () => {
			const ingest = await snapshotter.beginIngest(undefined);
			const id = sha256("layer");
			expect(snapshotter.has(id)).toBe(false);
			expect(() => snapshotter.layerPath(id)).toThrow("layer does not exist");
			await ingest.commit(id, undefined, { sizeBytes: 5, inodes: 1 });
			const upper = await commit(id, { b: "2" });
			expect(snapshotter.stack(upper)).toEqual([snapshotter.layerPath(upper), snapshotter.layerPath(id)]);
			expect(snapshotter.usage(id)).toEqual({ sizeBytes: 5, inodes: 1 });
			expect(snapshotter.usage(upper)).toEqual({ sizeBytes: 1, inodes: 1 });
		});

		test("an aborted ingest leaves nothing, and abort after commit does no harm", async () => {
			const aborted = await snapshotter.beginIngest(undefined);
			writeFileSync(join(aborted.path, "a"), "1");
			await aborted.abort();
			await aborted.abort();
			expect(existsSync(aborted.path)).toBe(false);
			const ingest = await snapshotter.beginIngest(undefined);
			await ingest.commit(sha256("x"), undefined);
			await ingest.abort();
			expect(snapshotter.has(sha256("x"))).toBe(true);
		});

		test("the second commit of the same layer keeps the first", async () => {
			const [one, two] = [await snapshotter.beginIngest(undefined), await snapshotter.beginIngest(undefined)];
			writeFileSync(join(one.path, "a"), "one");
			writeFileSync(join(two.path, "a"), "two");
			await one.commit(sha256("x"), undefined);
			await two.commit(sha256("x"), undefined);
			expect(readFileSync(join(snapshotter.layerPath(sha256("x")), "a"), "utf8")).toBe("one");
			expect(existsSync(two.path)).toBe(false);
		});

		test("a container sees the merged layers and writes beside them", async () => {
			const base = await commit(undefined, { "d/a": "1", "d/b": "2", c: "3" });
			const top = await commit(base, { "d/b": "changed", c: null });
			await snapshotter.prepare("one", top);
			const { mergedPath } = await snapshotter.mount("one");
			expect(readdirSync(join(mergedPath, "d")).sort()).toEqual(["a", "b"]);
			expect(readFileSync(join(mergedPath, "d/b"), "utf8")).toBe("changed");
			expect(existsSync(join(mergedPath, "c"))).toBe(false);
			writeFileSync(join(mergedPath, "d/new"), "mine");
			expect(existsSync(join(snapshotter.layerPath(base), "d/new"))).toBe(false);
			expect((await snapshotter.containerUsage("one")).sizeBytes).toBeGreaterThanOrEqual(4);
		});

		test("mounting twice, unmounting and mounting again keeps what was written", async () => {
			const base = await commit(undefined, { a: "1" });
			await snapshotter.prepare("one", base);
			await snapshotter.prepare("one", base);
			const { mergedPath } = await snapshotter.mount("one");
			await snapshotter.mount("one");
			writeFileSync(join(mergedPath, "b"), "2");
			await snapshotter.unmount("one");
			await snapshotter.unmount("one");
			await snapshotter.mount("one");
			expect(readFileSync(join(mergedPath, "b"), "utf8")).toBe("2");
			await snapshotter.remove("one");
			await snapshotter.remove("one");
			expect(existsSync(mergedPath)).toBe(false);
		});

		test("a mount asked for while an unmount runs is there when it says so", async () => {
			const base = await commit(undefined, { a: "1" });
			await snapshotter.prepare("one", base);
			await snapshotter.mount("one");
			for (let round = 0; round < 5; round++) {
				const unmounted = snapshotter.unmount("one");
				const { mergedPath } = await snapshotter.mount("one");
				await unmounted;
				expect(readFileSync(join(mergedPath, "a"), "utf8")).toBe("1");
			}
		});

		test("the root has the image's owner and permissions", async () => {
			const ingest = await snapshotter.beginIngest(undefined);
			chmodSync(ingest.path, 0o1777);
			await ingest.commit(sha256("root"), undefined);
			await snapshotter.prepare("one", sha256("root"));
			const { mergedPath } = await snapshotter.mount("one");
			expect(lstatSync(mergedPath).mode & 0o7777).toBe(0o1777);
		});

		test("a layer unpacked before its parent was there has the parent's root at the end", async () => {
			const upper = await snapshotter.beginIngest(undefined);
			const lower = await snapshotter.beginIngest(undefined);
			chmodSync(lower.path, 0o1777);
			await lower.commit(sha256("lower"), undefined);
			await upper.commit(sha256("upper"), sha256("lower"));
			await snapshotter.prepare("one", sha256("upper"));
			const { mergedPath } = await snapshotter.mount("one");
			expect(lstatSync(mergedPath).mode & 0o7777).toBe(0o1777);
		});

		test("an image without layers gives a root with the mount points only", async () => {
			await snapshotter.prepare("one", undefined);
			const { mergedPath } = await snapshotter.mount("one");
			expect(readdirSync(mergedPath).sort()).toEqual([".dockerenv", "dev", "etc", "proc", "sys"]);
			expect(snapshotter.find("one").parent).toBeUndefined();
		});

		test("a read-only snapshot is the image and nothing else, after a restart, too", async () => {
			const base = await commit(undefined, { "d/a": "1", c: "3" });
			const top = await commit(base, { c: null, "d/b": "2" });
			await snapshotter.prepare("view", top, { readOnly: true });
			await snapshotter.prepare("single", base, { readOnly: true });
			await snapshotter.prepare("empty", undefined, { readOnly: true });
			for (const opened of [snapshotter, fixture.reopen()]) {
				const names = async (id: string) => readdirSync((await opened.mount(id)).mergedPath).sort();
				expect(await names("view")).toEqual(["d"]);
				expect(await names("view")).toEqual(["d"]);
				expect(await names("single")).toEqual(["c", "d"]);
				expect(await names("empty")).toEqual([]);
				expect(await opened.containerUsage("empty")).toMatchObject({ sizeBytes: 0 });
				for (const id of ["view", "single", "empty"]) await opened.unmount(id);
			}
			expect(fixture.mounts()).toEqual([]);
		});

		test("layersInUse() names what containers stand on, after a restart, too", async () => {
			const base = await commit(undefined, { a: "1" });
			await snapshotter.prepare("one", base);
			expect([...snapshotter.layersInUse()]).toEqual([base]);
			const next = fixture.reopen();
			expect([...next.layersInUse()]).toEqual([base]);
			expect(next.stack(base)).toEqual(snapshotter.stack(base));
			await next.mount("one");
			await next.remove("one");
			expect([...next.layersInUse()]).toEqual([]);
		});

		test("what is not there is a not-found error", async () => {
			expect(() => snapshotter.find("nobody")).toThrow("no snapshot for container nobody");
			await expect(snapshotter.mount("nobody")).rejects.toMatchObject({ kind: "not-found" });
			await expect(snapshotter.prepare("one", sha256("missing"))).rejects.toThrow("layer does not exist");
		});

		test("a container's changes become a layer, unless they are a whole tree", async () => {
			const base = await commit(undefined, { a: "1", b: "2" });
			const { isWholeTree } = await snapshotter.prepare("one", base, { bare: true });
			const { mergedPath } = await snapshotter.mount("one", { volatile: true });
			writeFileSync(join(mergedPath, "new"), "3");
			rmSync(join(mergedPath, "a"));
			const chainId = sha256("committed");
			const usage = { sizeBytes: 1, inodes: 2 };
			if (isWholeTree) {
				await expect(snapshotter.commit("one", chainId, usage)).rejects.toThrow("whole tree");
				return;
			}
			await snapshotter.commit("one", chainId, usage);
			snapshotter.startFlush();
			await snapshotter.flush();
			expect([snapshotter.usage(chainId), existsSync(mergedPath)]).toEqual([usage, false]);
			const next = fixture.reopen();
			expect(next.stack(chainId)).toEqual(snapshotter.stack(chainId));
			await snapshotter.prepare("two", chainId);
			const shown = await snapshotter.mount("two");
			expect(["a", "b", "new", "dev"].map((name) => existsSync(join(shown.mergedPath, name)))).toEqual([
				false,
				true,
				true,
				true,
			]);
			// The same once more is the first one.
			await snapshotter.prepare("three", base, { bare: true });
			await snapshotter.mount("three", { volatile: true });
			await snapshotter.commit("three", chainId, usage);
			expect(readdirSync(snapshotter.layerPath(chainId)).sort()).toEqual(["a", "new"]);
		});

		test("cleanUp() removes what nobody needs, mounted or half-made, and nothing else", async () => {
			const base = await commit(undefined, { a: "1" });
			const stray = await commit(base, { b: "2" });
			const ingest = await snapshotter.beginIngest(undefined);
			await snapshotter.prepare("kept", base);
			await snapshotter.prepare("gone", stray);
			const kept = await snapshotter.mount("kept");
			const gone = await snapshotter.mount("gone");
			await fixture.reopen().cleanUp(keep([base], ["kept"]));
			expect([existsSync(ingest.path), existsSync(gone.mergedPath)]).toEqual([false, false]);
			expect(readFileSync(join(kept.mergedPath, "a"), "utf8")).toBe("1");
			const next = fixture.reopen();
			expect([next.has(base), next.has(stray)]).toEqual([true, false]);
			await next.remove("kept");
		});

		test("removeLayer() may be called again", async () => {
			const base = await commit(undefined, { a: "1" });
			const path = snapshotter.layerPath(base);
			await snapshotter.removeLayer(base);
			await snapshotter.removeLayer(base);
			expect([snapshotter.has(base), existsSync(path)]).toEqual([false, false]);
		});

		test("many layers are one stack", async () => {
			let chain: Digest | undefined;
			for (let index = 0; index < 130; index++) chain = await commit(chain, { [`f${index}`]: String(index) });
			await snapshotter.prepare("deep", chain);
			const { mergedPath } = await snapshotter.mount("deep");
			expect(readdirSync(mergedPath).filter((file) => file.startsWith("f"))).toHaveLength(130);
			rmSync(join(mergedPath, "f0"));
			expect(readdirSync(mergedPath)).not.toContain("f0");
		});
	});
}
