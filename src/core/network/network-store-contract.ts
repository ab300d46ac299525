/** What every NetworkStore keeps to; each driver's tests run it. */
import { describe, expect, test } from "bun:test";
import { ConflictError } from "../../base/errors.ts";
import { builtinRecord } from "./network-record.ts";
import type { NetworkStore } from "./network-store.ts";

export function networkStoreContract(name: string, make: () => NetworkStore): void {
	describe(name, () => {
		test("lists networks as they were put, and replaces by ID", () => {
			const store = make();
			store.put(builtinRecord("host", "a", 1));
			store.put(builtinRecord("none", "b", 1));
			store.put(builtinRecord("host", "a", 2));
			expect(store.list()).toEqual([builtinRecord("host", "a", 2), builtinRecord("none", "b", 1)]);
		});

		test("refuses a second network of the same name", () => {
			const store = make();
			store.put(builtinRecord("host", "a", 1));
			expect(() => store.put(builtinRecord("host", "b", 1))).toThrow(ConflictError);
			expect(store.list()).toHaveLength(1);
		});

		test("deletes, and deletes again", () => {
			const store = make();
			store.put(builtinRecord("host", "a", 1));
			store.delete("a");
			store.delete("a");
			expect(store.list()).toEqual([]);
		});
	});
}
