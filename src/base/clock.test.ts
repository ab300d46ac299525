import { describe, expect, test } from "bun:test";
import { systemClock } from "./clock.ts";

describe("systemClock.after()", () => {
	for (const delayMs of [2 ** 31, 1e12, Number.POSITIVE_INFINITY])
		test(`does not take a delay of ${delayMs} ms for none`, async () => {
			let fired = false;
			const timer = systemClock.after(delayMs, () => {
				fired = true;
			});
			await Bun.sleep(20);
			timer.cancel();
			expect(fired).toBe(false);
		});

	test("fires once, and not when it was cancelled", async () => {
		const fired: string[] = [];
		systemClock.after(1, () => fired.push("kept"));
		systemClock.after(1, () => fired.push("cancelled")).cancel();
		await Bun.sleep(30);
		expect(fired).toEqual(["kept"]);
	});
});
