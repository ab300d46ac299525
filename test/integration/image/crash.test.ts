import { afterAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import { openDatabase } from "../../../src/drivers/store-sqlite/database.ts";
import { SqliteImageStore } from "../../../src/drivers/store-sqlite/image-store.ts";
import { ImageBench } from "../../support/image-bench.ts";

const LOOP = join(import.meta.dir, "../../support/image-crash-loop.ts");
const ROUNDS = 12;
const root = mkdtempSync(join(tmpdir(), "gantry-images-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs the loop and kills it. @returns what it said it had stored */
async function runAndKill(delayMs: number): Promise<Map<string, boolean>> {
	const child = spawn(process.execPath, [LOOP, root], { stdio: ["ignore", "pipe", "inherit"] });
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	while (!output.includes("\n") && child.exitCode === null) await Bun.sleep(5);
	expect(child.exitCode).toBeNull();
	await Bun.sleep(delayMs);
	child.kill("SIGKILL");
	await once(child, "close");
	const lines = output.split("\n").filter((line) => line !== "");
	return new Map(lines.map((line) => [line.slice(1), line.startsWith("+")]));
}

test(
	"killed at any moment, nothing acknowledged is lost and nothing stays behind",
	async () => {
		for (let round = 0; round < ROUNDS; round++) {
			const acknowledged = await runAndKill(round * 13);
			const database = openDatabase(join(root, "images.db"));
			const bench = new ImageBench(new SqliteImageStore(database), root);
			await bench.service.cleanUp(new Set());
			for (const [name, isThere] of acknowledged)
				if (isThere) expect(bench.service.resolve(name).tags.length).toBeGreaterThan(0);
			const images = bench.store.images();
			// Saving verifies every layer's digest.
			for (const { id } of images) await bench.save(id);
			const layers = new Set(images.map(({ chainId }) => chainId));
			const assemblies = new Set(bench.store.layers().map(({ assembly }) => assembly));
			const names = (...path: string[]) => readdirSync(join(root, ...path));
			expect({
				layers: names("snapshots/layers").length,
				records: bench.store.layers().length,
				blobs: names("content/blobs/sha256").length,
				unfinished: [...names("content/ingest"), ...names("snapshots/ingest"), ...names("snapshots/removed")],
			}).toEqual({ layers: layers.size, records: layers.size, blobs: images.length + assemblies.size, unfinished: [] });
			database.close();
		}
		expect(mountsUnder(readMountInfo(), root)).toEqual([]);
	},
	{ timeout: 120_000 },
);
