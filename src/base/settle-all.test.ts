import { expect, test } from "bun:test";
import { settleAll } from "./settle-all.ts";

const aborted = (signal: AbortSignal) =>
	new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("settleAll() gives all results in order", async () => {
	const late = Bun.sleep(2).then(() => "late");
	expect(await settleAll([late, Promise.resolve("early")], new AbortController())).toEqual(["late", "early"]);
});

test("settleAll() stops the others at the first failure, waits for them, and throws it", async () => {
	const controller = new AbortController();
	let ended = false;
	const other = aborted(controller.signal).catch(async (error: unknown) => {
		await Bun.sleep(2);
		ended = true;
		throw error;
	});
	const failing = Bun.sleep(1).then(() => {
		throw new Error("the first");
	});
	await expect(settleAll([other, failing], controller)).rejects.toThrow("the first");
	expect(ended).toBe(true);
});
