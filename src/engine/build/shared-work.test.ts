import { expect, test } from "bun:test";
import { CancelledError, InvalidParameterError } from "../../base/errors.ts";
import { SharedWork } from "./shared-work.ts";

const never = new AbortController().signal;
const nothing = () => {};

test("what fails for the one who began it alone, the others do themselves", async () => {
	const shared = new SharedWork<string, never>((error) => !(error instanceof InvalidParameterError));
	const failed = Promise.withResolvers<string>();
	let attempts = 0;
	const first = shared.run("key", () => failed.promise, nothing, never);
	const again = Promise.withResolvers<void>();
	const others = ["second", "third"].map((name) =>
		shared.run(
			"key",
			() => {
				attempts++;
				return again.promise.then(() => `${name} did it, attempt ${attempts}`);
			},
			nothing,
			never,
		),
	);
	failed.reject(new CancelledError("its client has gone"));
	await expect(first).rejects.toThrow("its client has gone");
	again.resolve();
	expect(await Promise.all(others)).toEqual(["second did it, attempt 1", "second did it, attempt 1"]);
});

test("what fails for everybody is told to everybody", async () => {
	const shared = new SharedWork<string, never>((error) => !(error instanceof InvalidParameterError));
	const failed = Promise.withResolvers<string>();
	const both = ["first", "second"].map(() => shared.run("key", () => failed.promise, nothing, never));
	failed.reject(new InvalidParameterError("exit code: 1"));
	expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

test("the one who is cancelled does nothing again", async () => {
	const shared = new SharedWork<string, never>(() => true);
	const failed = Promise.withResolvers<string>();
	const own = new AbortController();
	const first = shared.run("key", () => failed.promise, nothing, never);
	const second = shared.run("key", async () => "again", nothing, own.signal);
	own.abort();
	await expect(second).rejects.toThrow("cancelled");
	failed.resolve("done");
	expect(await first).toBe("done");
});

test("one who has stopped listening holds up nobody else", async () => {
	const shared = new SharedWork<string, number>(() => false);
	const begun = Promise.withResolvers<void>();
	const work = async (emit: (event: number) => Promise<void>) => {
		await Promise.resolve();
		for (let event = 0; event < 1000; event++) {
			await emit(event);
		}
		return "done";
	};
	let unheard = 0;
	const deaf = () => {
		unheard++;
		begun.resolve();
		return new Promise<void>(() => {});
	};
	const first = shared.run("key", work, deaf, never);
	await begun.promise;
	const heard: number[] = [];
	const second = shared.run("key", work, (event) => void heard.push(event), never);
	expect(await Promise.all([first, second])).toEqual(["done", "done"]);
	expect(heard).toEqual(Array.from({ length: 999 }, (_, index) => index + 1));
	expect(unheard).toBeLessThan(300);
});
