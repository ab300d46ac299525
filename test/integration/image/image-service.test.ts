import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { ImageDeleteResponse } from "../../../src/api/engine/image.ts";
import { type Digest, sha256 } from "../../../src/base/digest.ts";
import { mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import { openDatabase } from "../../../src/drivers/store-sqlite/database.ts";
import { SqliteImageStore } from "../../../src/drivers/store-sqlite/image-store.ts";
import { ImageBench } from "../../support/image-bench.ts";
import { tarOf } from "../../support/tar-builder.ts";

const V51 = { major: 1, minor: 51 };
const NOTHING = { force: false, noPrune: false };
const FORCE = { force: true, noPrune: false };

let bench: ImageBench;
beforeEach(() => {
	bench = new ImageBench();
});
afterEach(async () => {
	await bench[Symbol.asyncDispose]();
	expect(mountsUnder(readMountInfo(), bench.root)).toEqual([]);
});

const root = tarOf({ name: "bin/" }, { name: "bin/sh", content: "#!" }, { name: "etc/x", content: "x" });
const list = (filters: Record<string, string[]> = {}) =>
	bench.service.list({ all: false, sharedSize: false, filters: new Map(Object.entries(filters)), version: V51 });
const names = async (filters: Record<string, string[]> = {}) =>
	(await list(filters)).flatMap(({ RepoTags }) => (RepoTags.length === 0 ? ["-"] : RepoTags)).sort();
const deleted = (records: readonly ImageDeleteResponse[]) =>
	records.map((record) => ("Untagged" in record ? `-${record.Untagged}` : record.Deleted));
/** Files that images need on disk: [layers, blobs, unfinished]. */
const stored = () => {
	const count = (...path: string[]) => readdirSync(join(bench.root, ...path)).length;
	return [
		count("snapshots/layers"),
		count("content/blobs/sha256"),
		count("content/ingest") + count("snapshots/ingest") + count("snapshots/removed"),
	];
};

async function container(id: string, image: string, isRunning = false): Promise<string> {
	const record = bench.service.resolve(image);
	await bench.snapshotter.prepare(id, record.chainId);
	bench.containers.list.push({ id, name: id, imageId: record.id, isRunning, config: { Cmd: ["sh", "-c", "x"] } });
	return (await bench.snapshotter.mount(id)).mergedPath;
}

describe("import", () => {
	test("makes an image of one layer with the changed configuration", async () => {
		const id = await bench.import(root, "app:1", ['CMD ["sh"]', "ENV A=b", "LABEL l=1"]);
		const image = await bench.service.inspect("app:1");
		expect(image).toMatchObject({
			Id: id,
			RepoTags: ["app:1"],
			Comment: "Imported from -",
			Architecture: "amd64",
			Os: "linux",
			Size: 3,
			Config: { Cmd: ["sh"], Env: ["A=b"], Labels: { l: "1" } },
			RootFS: { Type: "layers", Layers: [sha256(root)] },
		});
		expect(bench.events.map(({ action, attributes }) => `${action} ${attributes["name"]} ${attributes["l"]}`)).toEqual([
			"tag app:1 1",
			`import ${id} 1`,
		]);
	});

	test("of the same tar under two names shares the layer", async () => {
		await bench.import(root, "one", ["ENV A=1"]);
		await bench.import(gzipSync(root), "two", ["ENV A=2"]);
		expect(stored()).toEqual([1, 3, 0]);
	});

	test("refuses a bad request before it reads the archive", async () => {
		for (const [name, changes] of [
			["Foo", []],
			["foo:-", []],
			["foo", ["RUN x"]],
		] as const)
			await expect(bench.import(root, name, changes)).rejects.toMatchObject({ kind: "invalid-parameter" });
		expect(stored()).toEqual([0, 0, 0]);
	});

	test("of a broken archive leaves nothing", async () => {
		await expect(bench.import(root.subarray(0, 700), "foo")).rejects.toThrow("unexpected EOF");
		expect([stored(), await names()]).toEqual([[0, 0, 0], []]);
	});

	test("that is cancelled leaves nothing", async () => {
		const controller = new AbortController();
		const endless = new Readable({ read() {} });
		endless.push(root.subarray(0, 1024));
		const options = { repository: "foo", tag: "", message: "", changes: [], platform: "" };
		const messages = bench.service.import(endless, options, controller.signal)[Symbol.asyncIterator]();
		setTimeout(() => controller.abort(), 20);
		await expect(messages.next()).rejects.toMatchObject({ kind: "cancelled" });
		expect([stored(), await names()]).toEqual([[0, 0, 0], []]);
	});

	test("twenty times at once is one layer", async () => {
		const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => bench.import(root, `n${index}`)));
		expect(ids).toHaveLength(20);
		expect([stored()[0], stored()[2], (await names()).length]).toEqual([1, 0, 20]);
	});
});

describe("tag and lookup", () => {
	test("an image is found by its names, its ID and what begins it", async () => {
		const id = await bench.import(root, "app");
		await bench.service.tag("app", "localhost:5000/other", "v2");
		for (const name of [
			"app",
			"app:latest",
			"docker.io/library/app",
			id,
			id.slice(7),
			id.slice(7, 15),
			id.slice(0, 20),
		])
			expect(bench.service.resolve(name).id as string).toBe(id);
		expect(await names()).toEqual(["app:latest", "localhost:5000/other:v2"]);
		for (const name of ["nope", "app:2", "ffffffffffff", "f".repeat(64)])
			expect(() => bench.service.resolve(name)).toThrow("No such image: ");
		expect(() => bench.service.resolve("nope")).toThrow("No such image: nope:latest");
		expect(() => bench.service.resolve("App")).toThrow("must be lowercase");
	});

	test("a tag moves, and the image it leaves dangles", async () => {
		const old = await bench.import(root, "app", ["ENV A=1"]);
		const next = await bench.import(root, "app", ["ENV A=2"]);
		expect(bench.service.resolve("app").id as string).toBe(next);
		expect((await list({ dangling: ["true"] })).map(({ Id }) => Id)).toEqual([old]);
		expect(await names({ dangling: ["false"] })).toEqual(["app:latest"]);
	});
});

describe("list filters", () => {
	test("choose by reference, label, age and neighbours", async () => {
		await bench.import(root, "app:1", ["LABEL a=1"]);
		await Bun.sleep(5);
		await bench.import(root, "app:2", ["LABEL a=2"]);
		await Bun.sleep(5);
		await bench.import(root, "me/web:1");
		expect(await names({ reference: ["app"] })).toEqual(["app:1", "app:2"]);
		expect(await names({ reference: ["*:1"] })).toEqual(["app:1"]);
		expect(await names({ reference: ["*/*"] })).toEqual(["me/web:1"]);
		expect(await names({ label: ["a"] })).toEqual(["app:1", "app:2"]);
		expect(await names({ label: ["a=2"] })).toEqual(["app:2"]);
		expect(await names({ before: ["app:2"] })).toEqual(["app:1"]);
		expect(await names({ since: ["app:2"] })).toEqual(["me/web:1"]);
		expect(await names({ until: ["1h"] })).toEqual([]);
		await expect(list({ color: ["red"] })).rejects.toThrow("invalid filter 'color'");
		await expect(list({ dangling: ["maybe"] })).rejects.toThrow("invalid filter 'dangling=[maybe]'");
	});
});

describe("save and load", () => {
	test("give the same images, names and layers, byte for byte", async () => {
		const one = await bench.import(root, "one", ["ENV A=1"]);
		await bench.service.tag("one", "alias", "x");
		const two = await bench.import(tarOf({ name: "other", content: "o" }), "two");
		const archive = await bench.save("one", "alias:x", "two");
		expect((await bench.save("one", "alias:x", "two")).equals(archive)).toBe(true);
		await bench.service.remove("one", NOTHING);
		await bench.service.remove("alias:x", NOTHING);
		await bench.service.remove("two", NOTHING);
		expect(stored()).toEqual([0, 0, 0]);
		for (const packed of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
			expect((await bench.load(packed)).sort()).toEqual([
				"Loaded image: alias:x",
				"Loaded image: one:latest",
				"Loaded image: two:latest",
			]);
			expect([bench.service.resolve("one").id, bench.service.resolve("two").id] as string[]).toEqual([one, two]);
		}
		expect((await bench.save("one", "alias:x", "two")).equals(archive)).toBe(true);
		expect(stored()).toEqual([2, 4, 0]);
	});

	test("an image without a name is told by its ID", async () => {
		const id = await bench.import(root);
		const archive = await bench.save(id.slice(7, 19));
		await bench.service.remove(id, NOTHING);
		expect(await bench.load(archive)).toEqual([`Loaded image ID: ${id}`]);
	});

	test("a repository's name saves all of its tags", async () => {
		await bench.import(root, "app:1");
		await bench.import(root, "app:2", ["ENV A=1"]);
		expect(manifestTags(await bench.save("app"))).toEqual(["app:1", "app:2"]);
		expect(manifestTags(await bench.save("app:2"))).toEqual(["app:2"]);
		await expect(bench.save("app:3")).rejects.toThrow("No such image: app:3");
	});

	test("a pure OCI layout with a compressed layer and a nested index is loaded", async () => {
		const archive = ociLayout(root, gzipSync(root), "example.org/oci:v1");
		expect(await bench.load(archive)).toEqual(["Loaded image: example.org/oci:v1"]);
		expect((await bench.service.inspect("example.org/oci:v1")).RootFS.Layers).toEqual([sha256(root)]);
	});

	test("an old docker archive with a linked layer and the manifest in front is loaded", async () => {
		const config = Buffer.from(
			JSON.stringify({
				os: "linux",
				architecture: "amd64",
				config: {},
				rootfs: { type: "layers", diff_ids: [sha256(root), sha256(root)] },
			}),
		);
		const manifest = [{ Config: "c.json", RepoTags: ["old:1"], Layers: ["a/layer.tar", "b/layer.tar"] }];
		const archive = tarOf(
			{ name: "manifest.json", content: JSON.stringify(manifest) },
			{ name: "c.json", content: config },
			{ name: "b/layer.tar", type: "symlink", linkName: "../a/layer.tar" },
			{ name: "a/layer.tar", content: root },
		);
		expect(await bench.load(archive)).toEqual(["Loaded image: old:1"]);
		expect(await bench.service.inspect("old:1")).toMatchObject({ Id: sha256(config), Size: 6 });
	});

	test("a tag that another image had is taken, and it is said", async () => {
		await bench.import(root, "app", ["ENV A=1"]);
		const archive = await bench.save("app");
		const other = await bench.import(root, "app", ["ENV A=2"]);
		expect(await bench.load(archive)).toEqual([
			`The image app:latest already exists, renaming the old one with ID ${other} to empty string`,
			"Loaded image: app:latest",
		]);
	});

	const broken: readonly [string, () => Uint8Array, string][] = [
		["no archive", () => Buffer.from("nonsense".repeat(100)), "invalid tar header"],
		["nothing in it", () => tarOf(), "does not contain a manifest.json"],
		["a manifest that is not JSON", () => tarOf({ name: "manifest.json", content: "{" }), "manifest.json is not JSON"],
		[
			"a missing configuration",
			() => tarOf({ name: "manifest.json", content: '[{"Config":"c","Layers":[]}]' }),
			"c is missing",
		],
		["a missing layer", () => dockerArchive({ layers: ["gone"] }), "gone is missing"],
		["more layers than the configuration says", () => dockerArchive({ layers: ["l", "l"] }), "layers length mismatch"],
		[
			"another layer than the configuration says",
			() => dockerArchive({ diffId: sha256("other") }),
			"invalid diffID for layer",
		],
		["a tag that is none", () => dockerArchive({ tag: "Bad:x" }), "must be lowercase"],
		["a path that climbs out", () => tarOf({ name: "../x", content: "x" }), "outside of the root"],
		["a damaged blob", () => tarOf({ name: `blobs/sha256/${"a".repeat(64)}`, content: "x" }), "is damaged"],
		[
			"links in a circle",
			() => tarOf({ name: "manifest.json", type: "symlink", linkName: "manifest.json" }),
			"does not contain",
		],
	];
	for (const [name, make, message] of broken)
		test(`an archive with ${name} is refused and leaves nothing`, async () => {
			await expect(bench.load(make())).rejects.toThrow(message);
			expect([stored(), await names()]).toEqual([[0, 0, 0], []]);
		});

	test("a layer changed on disk is not saved as if it were the old one", async () => {
		await bench.import(root, "app");
		const layer = bench.snapshotter.layerPath(bench.service.resolve("app").chainId as Digest);
		writeFileSync(join(layer, "bin/sh"), "??");
		await expect(bench.save("app")).rejects.toThrow("was changed on disk");
		// Nothing is leaked by the failed stream: the image can go.
		await bench.service.remove("app", NOTHING);
		expect(stored()).toEqual([0, 0, 0]);
	});

	test("the same archive loaded ten times at once is unpacked once", async () => {
		await bench.import(root, "app");
		const archive = await bench.save("app");
		await bench.service.remove("app", NOTHING);
		await Promise.all(Array.from({ length: 10 }, () => bench.load(archive)));
		expect([stored(), await names()]).toEqual([[1, 2, 0], ["app:latest"]]);
	});
});

describe("remove", () => {
	test("untags first, and deletes with the last name", async () => {
		const id = await bench.import(root, "one");
		await bench.service.tag("one", "two", "");
		expect(deleted(await bench.service.remove("one", NOTHING))).toEqual(["-one:latest"]);
		expect(deleted(await bench.service.remove("two", NOTHING))).toEqual(["-two:latest", id, sha256(root)]);
		expect(stored()).toEqual([0, 0, 0]);
		expect(bench.events.map(({ action }) => action).slice(2)).toEqual(["tag", "untag", "untag", "delete"]);
	});

	test("by ID wants force when several names are there", async () => {
		const id = await bench.import(root, "one");
		await bench.service.tag("one", "two", "");
		const short = id.slice(7, 19);
		await expect(bench.service.remove(short, NOTHING)).rejects.toThrow(
			`conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
		);
		expect(deleted(await bench.service.remove(short, FORCE))).toEqual(["-one:latest", "-two:latest", id, sha256(root)]);
	});

	test("refuses what a stopped container uses, unless forced; the container keeps its files", async () => {
		const id = await bench.import(root, "app");
		const merged = await container("c".repeat(64), "app");
		const short = id.slice(7, 19);
		await expect(bench.service.remove("app", NOTHING)).rejects.toThrow(
			`conflict: unable to remove repository reference "app" (must force) - container cccccccccccc is using its referenced image ${short}`,
		);
		await expect(bench.service.remove(short, NOTHING)).rejects.toThrow(
			`conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
		);
		expect(deleted(await bench.service.remove("app", FORCE))).toEqual(["-app:latest", id]);
		expect(readFileSync(join(merged, "etc/x"), "utf8")).toBe("x");
		bench.containers.list.pop();
		await bench.snapshotter.remove("c".repeat(64));
		await bench.service.collectGarbage();
		expect(stored()).toEqual([0, 0, 0]);
	});

	test("never deletes what a running container uses; forced by name, it only untags", async () => {
		const id = await bench.import(root, "app");
		await container("c".repeat(64), "app", true);
		const short = id.slice(7, 19);
		for (const options of [NOTHING, FORCE])
			await expect(bench.service.remove(short, options)).rejects.toThrow(
				`conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
			);
	});

	test("keeps layers that another image shares; parents of images lose their name and refuse to go by ID", async () => {
		const id = await bench.import(root, "base");
		const merged = await container("one", "base");
		writeFileSync(join(merged, "new"), "n");
		await bench.service.commit(commitOf("one", "child"));
		bench.containers.list.pop();
		await bench.snapshotter.remove("one");
		expect(deleted(await bench.service.remove("base", NOTHING))).toEqual(["-base:latest"]);
		await expect(bench.service.remove(id, NOTHING)).rejects.toThrow(
			`conflict: unable to delete ${id.slice(7, 19)} (cannot be forced) - image has dependent child images`,
		);
		const records = deleted(await bench.service.remove("child", NOTHING));
		// The nameless parent goes with its last child.
		expect(records).toContain(id);
		expect(stored()).toEqual([0, 0, 0]);
	});
});

describe("prune", () => {
	test("takes dangling images, or all that no container uses", async () => {
		const dangling = await bench.import(root, "app", ["ENV A=1"]);
		await bench.import(root, "app", ["ENV A=2"]);
		await bench.import(tarOf({ name: "big", content: "x".repeat(1000) }), "unused");
		await container("one", "app");
		expect(deleted((await bench.service.prune(new Map())).ImagesDeleted ?? [])).toEqual([dangling]);
		const all = await bench.service.prune(new Map([["dangling", ["false"]]]));
		expect([deleted(all.ImagesDeleted ?? [])[0], all.SpaceReclaimed]).toEqual(["-unused:latest", 1000]);
		expect(await names()).toEqual(["app:latest"]);
		await expect(bench.service.prune(new Map([["reference", ["x"]]]))).rejects.toThrow("invalid filter 'reference'");
	});

	test("obeys until and labels", async () => {
		await bench.import(root, "", ["LABEL keep=1"]);
		expect((await bench.service.prune(new Map([["until", ["1h"]]]))).ImagesDeleted).toBeNull();
		expect((await bench.service.prune(new Map([["label!", ["keep"]]]))).ImagesDeleted).toBeNull();
		expect((await bench.service.prune(new Map([["label", ["keep=1"]]]))).ImagesDeleted).toHaveLength(2);
	});
});

describe("commit", () => {
	test("adds what the container changed, and its image is the parent", async () => {
		const base = await bench.import(root, "base", ["ENV A=1"]);
		const merged = await container("one", "base");
		writeFileSync(join(merged, "new"), "new");
		rmSync(join(merged, "etc"), { recursive: true });
		const { Id } = await bench.service.commit({
			...commitOf("one", "mine:v1"),
			changes: ["USER me"],
			author: "me",
			comment: "why",
		});
		const image = await bench.service.inspect("mine:v1");
		expect(image).toMatchObject({
			Id,
			Parent: base,
			Author: "me",
			Comment: "why",
			Config: { User: "me", Cmd: ["sh", "-c", "x"] },
		});
		expect(image.RootFS.Layers).toHaveLength(2);
		expect(
			(await bench.service.history("mine:v1")).map(({ Id: id, CreatedBy, Size }) => [id, CreatedBy, Size]),
		).toEqual([
			[Id, "sh -c x", 3],
			[base, "", 3],
		]);
		const again = await container("two", "mine:v1");
		expect(
			readdirSync(again)
				.filter((name) => !["dev", "proc", "sys", ".dockerenv"].includes(name))
				.sort(),
		).toEqual(["bin", "etc", "new"]);
		expect(readdirSync(join(again, "etc"))).not.toContain("x");
		expect(bench.containers.commits).toEqual([`one ${Id} mine:v1`]);
	});

	test("of a container that changed nothing adds no layer", async () => {
		await bench.import(root, "base");
		await container("one", "base");
		const { Id } = await bench.service.commit(commitOf("one", ""));
		expect((await bench.service.inspect(Id)).RootFS.Layers).toHaveLength(1);
		expect((await bench.service.history(Id)).map(({ Size }) => Size)).toEqual([0, 3]);
	});
});

describe("after a crash", () => {
	test("cleanUp() removes what no record needs and keeps the rest", async () => {
		await bench.import(root, "app");
		const before = stored();
		await bench.content.put(Buffer.from("orphan"));
		const half = await bench.content.writer();
		await half.write(Buffer.from("half"));
		const ingest = await bench.snapshotter.beginIngest(undefined);
		const stray = await bench.snapshotter.beginIngest(undefined);
		await stray.commit(sha256("stray"), undefined);
		expect(ingest.path).toContain("ingest");
		bench.restart();
		await bench.service.cleanUp(new Set());
		expect(stored()).toEqual(before);
		await half.abort();
		expect((await bench.save("app")).length).toBeGreaterThan(root.length);
	});

	test("a record without its directory is no layer: the next load unpacks it again", async () => {
		await bench.import(root, "app");
		const archive = await bench.save("app");
		await bench.snapshotter.removeLayer(sha256(root));
		bench.restart();
		await bench.service.cleanUp(new Set());
		await bench.load(archive);
		expect((await bench.save("app")).equals(archive)).toBe(true);
	});

	test("images survive in the daemon's database", async () => {
		const directory = mkdtempSync(join(tmpdir(), "gantry-images-db-"));
		const database = openDatabase(join(directory, "gantry.db"));
		try {
			await using durable = new ImageBench(new SqliteImageStore(database));
			const id = await durable.import(root, "app");
			const archive = await durable.save("app");
			durable.restart();
			await durable.service.cleanUp(new Set());
			expect(durable.service.resolve("app").id as string).toBe(id);
			expect((await durable.save("app")).equals(archive)).toBe(true);
		} finally {
			database.close();
			rmSync(directory, { recursive: true, force: true });
		}
	});
});

function commitOf(container: string, name: string) {
	const [repository = "", tag = ""] = name.split(":");
	return { container, repository, tag, comment: "", author: "", pause: true, changes: [], config: undefined };
}

function manifestTags(archive: Buffer): string[] {
	const { stdout } = Bun.spawnSync(["tar", "-xO", "manifest.json"], { stdin: archive });
	const items = JSON.parse(stdout.toString()) as { RepoTags: string[] }[];
	return items.flatMap(({ RepoTags }) => RepoTags).sort();
}

function dockerArchive(wrong: { layers?: string[]; diffId?: string; tag?: string }): Buffer {
	const config = {
		os: "linux",
		architecture: "amd64",
		rootfs: { type: "layers", diff_ids: [wrong.diffId ?? sha256(root)] },
	};
	const manifest = [{ Config: "c.json", RepoTags: [wrong.tag ?? "ok:1"], Layers: wrong.layers ?? ["l"] }];
	return tarOf(
		{ name: "l", content: root },
		{ name: "c.json", content: JSON.stringify(config) },
		{ name: "manifest.json", content: JSON.stringify(manifest) },
	);
}

function ociLayout(tar: Uint8Array, layer: Uint8Array, name: string): Buffer {
	const blobs: Buffer[] = [];
	const blob = (value: unknown) => {
		const bytes = Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value));
		blobs.push(bytes);
		return { mediaType: "x", digest: sha256(bytes), size: bytes.length };
	};
	const config = blob({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [sha256(tar)] } });
	const own = blob({ schemaVersion: 2, config, layers: [blob(layer)] });
	const foreign = {
		...blob({ schemaVersion: 2, config, layers: [] }),
		platform: { os: "linux", architecture: "s390x" },
	};
	const nested = blob({
		schemaVersion: 2,
		manifests: [foreign, { ...own, platform: { os: "linux", architecture: "amd64" } }],
	});
	const index = { schemaVersion: 2, manifests: [{ ...nested, annotations: { "io.containerd.image.name": name } }] };
	return tarOf(
		{ name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
		{ name: "index.json", content: JSON.stringify(index) },
		...blobs.map((bytes) => ({ name: `blobs/sha256/${sha256(bytes).slice(7)}`, content: bytes })),
	);
}
