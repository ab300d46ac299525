import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-reserve-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A database that cannot grow, and work that succeeds once the reserve is gone. */
function fullDatabase(name: string) {
	const path = join(directory, name);
	const database = openDatabase(path);
	database.run("PRAGMA max_page_count = 1");
	let attempts = 0;
	const work = () => {
		attempts++;
		if (attempts === 2) return "stored";
		database.run("INSERT INTO meta VALUES ('key', hex(zeroblob(500000)))");
		return "not full";
	};
	return { path, work, attempts: () => attempts };
}

test("without space the work is done at the reserve's expense", () => {
	const { path, work } = fullDatabase("with");
	expect(existsSync(`${path}.reserve`)).toBe(true);
	const reserve = new SpaceReserve(path);
	expect(reserve.run(work)).toBe("stored");
	expect(existsSync(`${path}.reserve`)).toBe(false);
	reserve.refill();
	expect(existsSync(`${path}.reserve`)).toBe(true);
});

test("without space and without a reserve it fails, once", () => {
	const { path, work, attempts } = fullDatabase("without");
	rmSync(`${path}.reserve`);
	expect(() => new SpaceReserve(path).run(work)).toThrow("full");
	expect(attempts()).toBe(1);
});

test("what fails for another reason leaves the reserve alone", () => {
	const { path } = fullDatabase("other");
	const fail = () => {
		throw new Error("other");
	};
	expect(() => new SpaceReserve(path).run(fail)).toThrow("other");
	expect(existsSync(`${path}.reserve`)).toBe(true);
});
