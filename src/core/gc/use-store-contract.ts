/** What every UseStore keeps to; each driver's tests run it. */
import { describe, expect, test } from "bun:test";
import type { UseStore } from "./use-store.ts";

export function useStoreContract(name: string, make: () => UseStore): void {
	describe(name, () => {
		test("keeps the latest use of each image", () => {
			const store = make();
			store.putUses(
				new Map([
					["sha256:a", 1_700_000_000_000],
					["sha256:b", 2],
				]),
			);
			store.putUses(new Map([["sha256:b", 3]]));
			store.putUses(new Map());
			expect(Object.fromEntries(store.uses())).toEqual({ "sha256:a": 1_700_000_000_000, "sha256:b": 3 });
			store.deleteUse("sha256:a");
			store.deleteUse("sha256:a");
			expect(Object.fromEntries(store.uses())).toEqual({ "sha256:b": 3 });
		});

		test("pins and unpins", () => {
			const store = make();
			store.pin("docker.io/library/b:latest");
			store.pin("docker.io/library/a:latest");
			store.pin("docker.io/library/b:latest");
			expect(store.pins()).toEqual(["docker.io/library/b:latest", "docker.io/library/a:latest"]);
			expect(store.unpin("docker.io/library/b:latest")).toBe(true);
			expect(store.unpin("docker.io/library/b:latest")).toBe(false);
			expect(store.pins()).toEqual(["docker.io/library/a:latest"]);
		});
	});
}
