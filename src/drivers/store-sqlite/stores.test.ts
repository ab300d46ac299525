import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../base/digest.ts";
import { SystemError } from "../../base/errors.ts";
import { buildStoreContract } from "../../core/build/build-store-contract.ts";
import { containerStoreContract } from "../../core/container/container-store-contract.ts";
import { useStoreContract } from "../../core/gc/use-store-contract.ts";
import type { ImageRecord, LayerRecord } from "../../core/image/image-record.ts";
import { networkStoreContract } from "../../core/network/network-store-contract.ts";
import { volumeStoreContract } from "../../core/volume/volume-store-contract.ts";
import { SqliteBuildStore } from "./build-store.ts";
import { SqliteContainerStore } from "./container-store.ts";
import { openDatabase, withoutSync } from "./database.ts";
import { SqliteImageStore } from "./image-store.ts";
import { SqliteMetaStore } from "./meta-store.ts";
import { SqliteNetworkStore } from "./network-store.ts";
import { MIGRATIONS } from "./schema.ts";
import { SqliteUseStore } from "./use-store.ts";
import { SqliteVolumeStore } from "./volume-store.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-store-"));
let count = 0;
const freshPath = () => join(directory, `${count++}.db`);
afterAll(() => rmSync(directory, { recursive: true }));

buildStoreContract("SqliteBuildStore", () => new SqliteBuildStore(openDatabase(freshPath())));
containerStoreContract("SqliteContainerStore", () => new SqliteContainerStore(openDatabase(freshPath())));
test("withoutSync() makes later commits wait for the disk again, also after a failure", () => {
	const database = openDatabase(freshPath());
	const mode = () => database.query("PRAGMA synchronous").get();
	const full = mode();
	expect(withoutSync(database, mode)).not.toEqual(full);
	expect(mode()).toEqual(full);
	expect(() => withoutSync(database, () => database.run("no SQL"))).toThrow();
	expect(mode()).toEqual(full);
});

volumeStoreContract("SqliteVolumeStore", () => new SqliteVolumeStore(openDatabase(freshPath())));
useStoreContract("SqliteUseStore", () => new SqliteUseStore(openDatabase(freshPath())));
networkStoreContract("SqliteNetworkStore", () => new SqliteNetworkStore(openDatabase(freshPath())));

describe("SqliteImageStore", () => {
	const image: ImageRecord = {
		id: sha256("config"),
		config: { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [sha256("layer")] } },
		chainId: sha256("layer"),
		parent: undefined,
		sizeBytes: 5,
		lastTaggedAt: 7,
		repoDigests: [],
		tags: ["docker.io/library/busybox:latest"],
	};
	const layer: LayerRecord = {
		chainId: sha256("layer"),
		diffId: sha256("layer"),
		parent: undefined,
		tarSizeBytes: 512,
		assembly: undefined,
	};

	test("keeps images and layers, replaces and deletes them", () => {
		const store = new SqliteImageStore(openDatabase(freshPath()));
		store.putLayer(layer);
		store.putImage(image);
		store.putImage({ ...image, tags: [] });
		expect(store.images()).toEqual([{ ...image, tags: [] }]);
		expect(store.layers()).toEqual([layer]);
		store.touchImage({ ...image, lastTaggedAt: 8 });
		expect(store.images()).toEqual([{ ...image, lastTaggedAt: 8 }]);
		store.deleteImage(image.id);
		store.deleteLayer(layer.chainId);
		expect([store.images(), store.layers()]).toEqual([[], []]);
	});
});

describe("openDatabase()", () => {
	test("finds again what another connection wrote", () => {
		const path = freshPath();
		const first = openDatabase(path);
		new SqliteMetaStore(first).set("daemon-id", "x");
		new SqliteMetaStore(first).set("daemon-id", "y");
		first.close();
		expect(new SqliteMetaStore(openDatabase(path)).get("daemon-id")).toBe("y");
	});

	test("says that a file is no database", () => {
		const path = freshPath();
		writeFileSync(path, "this is not a database, and it is long enough to be read as a header of one ".repeat(20));
		expect(() => openDatabase(path)).toThrow(`database ${path} is damaged`);
	});

	test("refuses a database of a newer version", () => {
		const path = freshPath();
		const database = new Database(path);
		database.run(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
		database.close();
		expect(() => openDatabase(path)).toThrow("was written by a newer version");
	});

	test("names the record that cannot be read", () => {
		const database = openDatabase(freshPath());
		database.run("INSERT INTO containers VALUES ('abc', 1, 'n', 0, '{')");
		expect(() => new SqliteContainerStore(database).list()).toThrow(
			new SystemError("the stored record of container abc is damaged"),
		);
	});
});
