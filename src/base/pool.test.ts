import { expect, test } from "bun:test";
import { Pool } from "./pool.ts";

/** Works that end when told to, and who has begun so far. */
function works(pool: Pool) {
	const begun: number[] = [];
	const ends = new Map<number, () => void>();
	const start = (name: number) =>
		pool.run(() => {
			begun.push(name);
			return new Promise<void>((resolve) => ends.set(name, resolve));
		});
	const end = async (name: number) => {
		ends.get(name)?.();
		await Bun.sleep(0);
	};
	return { begun, start, end };
}

test("Pool runs as many as its limit says, the rest in order", async () => {
	const pool = new Pool(2);
	const { begun, start, end } = works(pool);
	for (const name of [1, 2, 3, 4]) void start(name);
	expect(begun).toEqual([1, 2]);
	expect(pool.isFull).toBe(true);
	await end(2);
	expect(begun).toEqual([1, 2, 3]);
	await end(1);
	await end(3);
	expect(begun).toEqual([1, 2, 3, 4]);
	await end(4);
	expect(pool.isFull).toBe(false);
});

test("Pool gives the place of a failed work to the next", async () => {
	const pool = new Pool(1);
	const failed = pool.run(() => Promise.reject(new Error("no")));
	const next = pool.run(async () => "yes");
	await expect(failed).rejects.toThrow("no");
	expect(await next).toBe("yes");
});

test("Pool.resize() lets more in at once, and fewer as the running ones end", async () => {
	const pool = new Pool(1);
	const { begun, start, end } = works(pool);
	for (const name of [1, 2, 3, 4, 5]) void start(name);
	expect(begun).toEqual([1]);
	pool.resize(3);
	await Bun.sleep(0);
	expect(begun).toEqual([1, 2, 3]);
	pool.resize(1);
	await end(1);
	await end(2);
	expect(begun).toEqual([1, 2, 3]);
	await end(3);
	expect(begun).toEqual([1, 2, 3, 4]);
});
