/** What every VolumeStore keeps to; each driver's tests run it. */
import { describe, expect, test } from "bun:test";
import { ConflictError, NotFoundError } from "../../base/errors.ts";
import type { VolumeRecord, VolumeStore } from "./volume-record.ts";

const VOLUME: VolumeRecord = {
	name: "data",
	driver: "local",
	options: { type: "tmpfs", device: "tmpfs", o: "size=1m" },
	labels: { a: "b" },
	createdAt: 1_700_000_000_000,
	anonymous: false,
};

export function volumeStoreContract(name: string, make: () => VolumeStore): void {
	describe(name, () => {
		test("lists volumes as they were inserted", () => {
			const store = make();
			store.insert(VOLUME);
			store.insert({ ...VOLUME, name: "other" });
			expect(store.list()).toEqual([VOLUME, { ...VOLUME, name: "other" }]);
		});

		test("refuses a taken name", () => {
			const store = make();
			store.insert(VOLUME);
			expect(() => store.insert({ ...VOLUME, labels: {} })).toThrow(ConflictError);
			expect(store.list()).toEqual([VOLUME]);
		});

		test("replaces a record, under its own name or another", () => {
			const store = make();
			store.insert(VOLUME);
			store.insert({ ...VOLUME, name: "other" });
			const changed = { ...VOLUME, holders: ["one"] };
			store.update(changed);
			expect(store.list()[0]).toEqual(changed);
			const renamed = { ...VOLUME, name: "new", formerName: "data" } as const;
			store.rename("data", renamed);
			expect(store.list()).toEqual([renamed, { ...VOLUME, name: "other" }]);
			expect(() => store.rename("new", { ...VOLUME, name: "other" })).toThrow(ConflictError);
			expect(() => store.update(VOLUME)).toThrow(NotFoundError);
			expect(() => store.rename("data", { ...VOLUME, name: "third" })).toThrow(NotFoundError);
			expect(store.list()).toHaveLength(2);
		});

		test("deletes, and deletes again", () => {
			const store = make();
			store.insert(VOLUME);
			store.delete("data");
			store.delete("data");
			expect(store.list()).toEqual([]);
		});
	});
}
