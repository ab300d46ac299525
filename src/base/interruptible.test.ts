import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { interruptible } from "./interruptible.ts";

describe("interruptible()", () => {
	test("gives what the work gives, or its failure", async () => {
		const wait = interruptible(new AbortController().signal);
		expect(await wait(Promise.resolve("done"))).toBe("done");
		await expect(wait(Promise.reject(new Error("broken")))).rejects.toThrow("broken");
	});

	test("ends a wait by the signal, and every later one at once", async () => {
		const controller = new AbortController();
		const wait = interruptible(controller.signal, () => new Error("left"));
		const waiting = wait(new Promise(() => {}));
		controller.abort();
		await expect(waiting).rejects.toThrow("left");
		await expect(wait(new Promise(() => {}))).rejects.toThrow("left");
	});

	test("keeps nothing of what was waited for", async () => {
		const wait = interruptible(new AbortController().signal);
		for (let round = 0; round < 20_000; round++) await wait(Promise.resolve({ round }));
		Bun.gc(true);
		expect(heapStats().objectTypeCounts["Promise"] ?? 0).toBeLessThan(5_000);
	});
});
