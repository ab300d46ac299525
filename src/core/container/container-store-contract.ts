/** What every ContainerStore keeps to; each driver's tests run it. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "../../base/digest.ts";
import { ConflictError, NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { ContainerStore } from "./container-store.ts";

function recordOf(id: string, name: string, version = 1): ContainerRecord {
	return {
		id,
		version,
		name,
		createdAt: 1_700_000_000_000,
		imageId: sha256("image"),
		imageReference: "busybox",
		config: { Env: ["A=ä\u0000b"], Cmd: null },
		hostConfig: { Memory: 2 ** 40 },
		mounts: [],
		endpoints: {},
		mappings: [],
		lifecycle: { kind: "created" },
		stoppedByUser: false,
		restartCount: 0,
		runtime: "crun",
		platform: "linux",
		logPath: "",
	};
}

export function containerStoreContract(name: string, make: () => ContainerStore): void {
	describe(name, () => {
		test("lists what was inserted, in order, as it was", () => {
			const store = make();
			const records = [recordOf("b", "two"), recordOf("a", "one")];
			for (const record of records) store.insert(record);
			expect(store.list()).toEqual(records);
		});

		test("refuses a taken ID and a taken name", () => {
			const store = make();
			store.insert(recordOf("a", "one"));
			expect(() => store.insert(recordOf("a", "other"))).toThrow(ConflictError);
			expect(() => store.insert(recordOf("b", "one"))).toThrow(ConflictError);
			expect(store.list().map((record) => record.id)).toEqual(["a"]);
		});

		test("replaces a record only by its next version", () => {
			const store = make();
			store.insert(recordOf("a", "one"));
			store.update(recordOf("a", "renamed", 2));
			expect(() => store.update(recordOf("a", "stale", 2))).toThrow(ConflictError);
			expect(() => store.update(recordOf("a", "ahead", 4))).toThrow(ConflictError);
			expect(() => store.update(recordOf("x", "nobody", 2))).toThrow(NotFoundError);
			expect(store.list()).toEqual([recordOf("a", "renamed", 2)]);
		});

		test("refuses to rename to a taken name", () => {
			const store = make();
			store.insert(recordOf("a", "one"));
			store.insert(recordOf("b", "two"));
			expect(() => store.update(recordOf("b", "one", 2))).toThrow(ConflictError);
		});

		test("frees the name of a container that is being removed", () => {
			const store = make();
			store.insert(recordOf("a", "one"));
			store.update({ ...recordOf("a", "one", 2), lifecycle: { kind: "removing", exit: undefined } });
			store.insert(recordOf("b", "one"));
			expect(store.list().map((record) => record.id)).toEqual(["a", "b"]);
		});

		test("deletes, and deletes again", () => {
			const store = make();
			store.insert(recordOf("a", "one"));
			store.delete("a");
			store.delete("a");
			expect(store.list()).toEqual([]);
		});
	});
}
