/** The disk budget over the real image service: interrupted pulls, uses and changes between plan and removal. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "../../../src/base/logger.ts";
import type { GcConsumer } from "../../../src/core/gc/consumer.ts";
import { DEFAULT_GC_POLICY } from "../../../src/core/gc/policy.ts";
import { GcService } from "../../../src/engine/gc/gc-service.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { ImageBench } from "../../support/image-bench.ts";
import { tarOf } from "../../support/tar-builder.ts";

let bench: ImageBench;
beforeEach(() => {
	bench = new ImageBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const HOUR_MS = 3_600_000;
const now = () => Date.now() + bench.clockOffsetMs;

function budget(
	consumers: readonly GcConsumer[] = [bench.service.collection, bench.service.interruptedPulls],
): GcService {
	return new GcService(
		{
			consumers,
			disk: { measure: () => ({ totalBytes: 1e9, availableBytes: 5e8 }) },
			clock: { now, after: () => ({ cancel() {} }) },
			logger: silentLogger,
		},
		{ ...DEFAULT_GC_POLICY, graceMs: 0 },
	);
}

const image = (name: string, size = 1000) =>
	bench.import(tarOf({ name: "f", content: name.padEnd(size) }), `${name}:1`);
const names = (entries: readonly { Name: string }[]) => entries.map(({ Name }) => Name);
const layers = () => readdirSync(join(bench.root, "snapshots/layers"));
const ingests = () => readdirSync(join(bench.root, "snapshots/ingest"));

/** A pull that ends when all layers but one are complete. @param missing its position */
async function interruptedPull(registry: FakeRegistry, missing: number): Promise<void> {
	const { layers: digests } = registry.addImage("1", [{ a: "one" }, { b: "two" }, { c: "six" }]);
	registry.misbehave = (request, response) => {
		if (request.url?.endsWith(digests[missing] ?? "") !== true) return false;
		response.writeHead(200, { "Content-Length": 1000 }).write("x");
		return true;
	};
	const controller = new AbortController();
	const request = { image: `${registry.host}/app`, tag: "1", platform: "", credentials: undefined };
	const verified = new Set<string>();
	const pull = async () => {
		for await (const { id, status } of bench.service.pull(request, controller.signal)) {
			if (status === "Extracting") verified.add(id ?? "");
			if (verified.size === 2) controller.abort();
		}
	};
	await expect(pull()).rejects.toMatchObject({ kind: "cancelled" });
}

test.each([2, 1, 0])("what interrupted pulls have left goes before any image: all layers but %p", async (missing) => {
	await using registry = await FakeRegistry.open();
	await interruptedPull(registry, missing);
	await image("old");
	bench.clockOffsetMs = HOUR_MS;
	const usage = bench.service.layerUsage();
	expect(usage).toEqual({ totalBytes: 1006, reclaimableBytes: 1006 });
	const { UsedSpace, Removed } = await budget().collect({ MaxUsedSpace: "1000" });
	expect(UsedSpace).toBe(1006);
	expect(Removed.map(({ Kind, Freed }) => [Kind, Freed])).toEqual([
		["pull", 3],
		["pull", 3],
	]);
	expect([layers().length, ingests().length]).toEqual([1, 0]);
	expect(bench.service.resolve("old:1").tags).toHaveLength(1);
	expect(bench.service.layerUsage().totalBytes).toBe(1000);
});

test.each([2, 1, 0])("a prune tells what it has freed of interrupted pulls: all layers but %p", async (missing) => {
	await using registry = await FakeRegistry.open();
	await interruptedPull(registry, missing);
	expect(await bench.service.prune(new Map())).toMatchObject({ SpaceReclaimed: 6 });
	expect([layers().length, ingests().length]).toEqual([0, 0]);
});

test("an image that is used between plan and removal stays", async () => {
	await image("one");
	await image("two");
	const { collection } = bench.service;
	bench.clockOffsetMs = HOUR_MS;
	// As if a container was made of the second one while the first one is being removed.
	const meddling: GcConsumer = {
		kind: "image",
		items: (keep) => collection.items(keep),
		heldParts: () => collection.heldParts(),
		async remove(id, plannedAt, keep) {
			bench.clockOffsetMs += 1000;
			bench.service.uses.touch(bench.service.resolve("two:1").id);
			return await collection.remove(id, plannedAt, keep);
		},
		collected: (freedBytes) => collection.collected(freedBytes),
	};
	const result = await budget([meddling]).collect({ MaxUsedSpace: "0" });
	expect([names(result.Removed), result.WantedSpace, result.FreedSpace]).toEqual([["one:1"], 2000, 1000]);
	expect(bench.service.resolve("two:1").tags).toHaveLength(1);
});

test("an image that a container came to use, or that was pinned meanwhile, stays", async () => {
	for (const name of ["used", "pinned", "free"]) await image(name);
	const { collection, pins } = bench.service;
	bench.clockOffsetMs = HOUR_MS;
	const planned = collection.items([]).filter(({ keptBecause }) => keptBecause === undefined);
	expect(names(planned.map(({ name }) => ({ Name: name }))).sort()).toEqual(["free:1", "pinned:1", "used:1"]);
	bench.containers.list.push({
		id: "c".repeat(64),
		name: "web",
		imageId: bench.service.resolve("used:1").id,
		isRunning: false,
		config: {},
	});
	pins.pin("pinned:1");
	const freed = await Promise.all(planned.map(({ id }) => collection.remove(id, now(), [])));
	expect(freed.filter((bytes) => bytes !== undefined)).toEqual([1000]);
	expect(layers()).toHaveLength(2);
	expect(await collection.remove(bench.service.resolve("pinned:1").id, now(), [])).toBeUndefined();
});

test("uses are written together, and known after a restart", async () => {
	const id = await image("one");
	const touchedAt = bench.service.uses.lastUsedAt(id);
	expect(bench.uses.uses().size).toBe(0);
	bench.service.uses.close();
	expect(bench.uses.uses().get(id)).toBe(touchedAt);
	bench.restart();
	bench.clockOffsetMs = HOUR_MS;
	expect(bench.service.uses.lastUsedAt(id)).toBe(touchedAt);
	// One that nobody has heard of is used now: an upgrade removes nothing at once.
	expect(bench.service.uses.lastUsedAt("sha256:unknown")).toBeGreaterThanOrEqual(touchedAt + HOUR_MS);
	await bench.service.remove("one:1", { force: false, noPrune: false });
	expect(bench.uses.uses().has(id)).toBe(false);
});

test("two collections at once remove each image once", async () => {
	for (const name of ["one", "two", "three"]) await image(name);
	bench.clockOffsetMs = HOUR_MS;
	const gc = budget();
	const results = await Promise.all([gc.collect({ MaxUsedSpace: "0" }), gc.collect({ MaxUsedSpace: "0" })]);
	expect(results.map(({ Removed }) => Removed.length)).toEqual([3, 0]);
	await gc.close();
	expect(layers()).toEqual([]);
});
