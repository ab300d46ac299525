/** What every build store promises. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "../../base/digest.ts";
import type { BuildStore, CacheRecord } from "./cache-record.ts";

export function buildStoreContract(name: string, make: () => BuildStore): void {
	const record = (id: string): CacheRecord => ({
		id,
		kind: "regular",
		description: "RUN true",
		keys: [sha256(id)],
		parents: [],
		result: { chainId: sha256("layer"), isEmpty: false, createdAt: 5 },
		sizeBytes: 7,
		createdAt: 5,
		lastUsedAt: 6,
		usageCount: 1,
	});

	describe(`${name} as a build store`, () => {
		test("keeps, replaces and deletes records", () => {
			const store = make();
			store.save([record("a"), record("b")], []);
			store.save([{ ...record("b"), usageCount: 2 }], ["a", "nobody"]);
			expect(store.records()).toEqual([{ ...record("b"), usageCount: 2 }]);
		});

		test("keeps runs until they are deleted", () => {
			const store = make();
			const run = { id: "one", runtime: "crun", cgroupsPath: "/gantry/one" };
			store.putRun(run);
			store.putRun(run);
			expect(store.runs()).toEqual([run]);
			store.deleteRun("one");
			store.deleteRun("one");
			expect(store.runs()).toEqual([]);
		});
	});
}
