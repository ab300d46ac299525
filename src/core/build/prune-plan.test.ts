import { describe, expect, test } from "bun:test";
import { type PrunableRecord, planPrune } from "./prune-plan.ts";

const DAY_MS = 86_400_000;
const NOW = 100 * DAY_MS;

/** Used `age` days ago. */
function record(id: string, age: number, fields: Partial<PrunableRecord> = {}): PrunableRecord {
	return {
		id,
		kind: "regular",
		description: `RUN ${id}`,
		keys: [],
		parents: [],
		sizeBytes: 100,
		createdAt: 0,
		lastUsedAt: NOW - age * DAY_MS,
		usageCount: 1,
		inUse: false,
		isShared: false,
		...fields,
	};
}

const RECORDS = [
	record("new", 0),
	record("old", 9, { parents: ["base"] }),
	record("used", 8, { inUse: true }),
	record("shared", 7, { isShared: true }),
	record("cache", 6, { kind: "exec.cachemount", isDirectory: true }),
	record("config", 5, { kind: "internal", sizeBytes: 0 }),
];
const NOTHING = { all: false, reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0, freeBytes: 1000, now: NOW };

function plan(options: Partial<typeof NOTHING>, filters: Readonly<Record<string, readonly string[]>> = {}): string[] {
	const request = { ...NOTHING, ...options, filters: new Map(Object.entries(filters)) };
	return planPrune(RECORDS, request).map(({ id }) => id);
}

describe("planPrune()", () => {
	test("takes what is not used, oldest first, and with all also what images have", () => {
		expect(plan({})).toEqual(["old", "cache", "new"]);
		expect(plan({ all: true })).toEqual(["old", "shared", "cache", "config", "new"]);
	});

	test.each([
		["until", "7d", "168h", ["old"]],
		["unused-for", "a week", "168h", ["old"]],
		["type", "cache mounts", "exec.cachemount", ["cache"]],
		["id", "one", "new", ["new"]],
		["parent", "children", "base", ["old"]],
		["description", "a pattern", "~^RUN n", ["new"]],
		["inuse", "what is in use, which stays", "true", []],
		["private", "not shared", "true", ["old", "cache", "new"]],
	])("filters by %s: %s", (key, _name, value, expected) => expect(plan({}, { [key]: [value] })).toEqual(expected));

	test("keeps to its limits", () => {
		// Four records of 100 bytes are the cache's own.
		expect(plan({ reservedBytes: 250 })).toEqual(["old", "cache"]);
		expect(plan({ maxUsedBytes: 350 })).toEqual(["old"]);
		expect(plan({ maxUsedBytes: 1000 })).toEqual([]);
		expect(plan({ minFreeBytes: 1150 })).toEqual(["old", "cache"]);
		expect(plan({ minFreeBytes: 9999, reservedBytes: 300 })).toEqual(["old"]);
	});

	test.each([
		[{ color: ["red"] }, "invalid filter 'color'"],
		[{ until: ["soon"] }, 'invalid duration "soon"'],
		[{ until: ["1h", "2h"] }, 'more than one "until"'],
		[{ id: ["~("] }, "invalid regular expression"],
	])("refuses %j", (filters, message) => expect(() => plan({}, filters)).toThrow(message));
});
