import { describe, expect, test } from "bun:test";
import type { GcItem, GcKind } from "./consumer.ts";
import { describeAge, type GcFacts, planCollection } from "./plan.ts";
import { DEFAULT_GC_POLICY, type GcPolicy } from "./policy.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 1_800_000_000_000;

interface Sketch extends Partial<Omit<GcItem, "parts">> {
	kind?: GcKind;
	/** Layers by name; each letter has its size in SIZES. */
	layers: string;
	ageMs: number;
}

/** Of the parts, by name. */
const SIZES: Readonly<Record<string, number>> = { a: 100, b: 50, c: 30, d: 20, e: 10, z: 0 };

function item({ layers, ageMs, kind = "image", ...fields }: Sketch & { id: string }): GcFacts["items"][number] {
	return {
		kind,
		name: fields.id,
		lastUsedAt: NOW - ageMs,
		isExpendable: false,
		parts: parts(layers),
		keptBecause: undefined,
		dependants: [],
		...fields,
	};
}

function parts(layers: string) {
	return [...layers].map((id) => ({ id, sizeBytes: SIZES[id] ?? 0 }));
}

function facts(items: Readonly<Record<string, Sketch>>, rest: Partial<GcFacts> = {}): GcFacts {
	return {
		now: NOW,
		items: Object.entries(items).map(([id, sketch]) => item({ id, ...sketch })),
		heldParts: [],
		disk: { totalBytes: 1000, availableBytes: 400 },
		...rest,
	};
}

function policy(fields: Partial<GcPolicy>): GcPolicy {
	return { ...DEFAULT_GC_POLICY, ...fields };
}

const bytes = (amount: number) => ({ kind: "bytes", bytes: amount }) as const;
const percent = (amount: number) => ({ kind: "percent", percent: amount }) as const;

const THREE: Readonly<Record<string, Sketch>> = {
	old: { layers: "ab", ageMs: 3 * DAY },
	middle: { layers: "ac", ageMs: 2 * DAY },
	new: { layers: "d", ageMs: DAY },
};

/** name, facts, policy, what goes as `name:freed`, what the limits want */
const CASES: readonly (readonly [string, GcFacts, Partial<GcPolicy>, readonly string[], number])[] = [
	["without limits nothing goes", facts(THREE), {}, [], 0],
	["within the budget nothing goes", facts(THREE), { maxUsed: bytes(200) }, [], 0],
	["the longest unused goes first, and only as much as needed", facts(THREE), { maxUsed: bytes(160) }, ["old:50"], 40],
	["a shared layer goes with its last image", facts(THREE), { maxUsed: bytes(60) }, ["old:50", "middle:130"], 140],
	["shares of the file system are limits, too", facts(THREE), { maxUsed: percent(16) }, ["old:50"], 40],
	["little free space is a reason of its own", facts(THREE), { minFree: bytes(430) }, ["old:50"], 30],
	[
		"the stricter limit counts",
		facts(THREE),
		{ maxUsed: bytes(190), minFree: percent(55) },
		["old:50", "middle:130"],
		150,
	],
	[
		"an impossible limit takes what it can",
		facts(THREE),
		{ maxUsed: bytes(0) },
		["old:50", "middle:130", "new:20"],
		200,
	],
	[
		"age takes what was not used, whatever the space",
		facts(THREE),
		{ unusedForMs: 2 * DAY },
		["old:50", "middle:130"],
		0,
	],
	["what age takes counts for the budget", facts(THREE), { unusedForMs: 3 * DAY, maxUsed: bytes(160) }, ["old:50"], 40],
	[
		"what is kept stays, and so do the layers it shares",
		facts({ ...THREE, middle: { layers: "ac", ageMs: 2 * DAY, keptBecause: "pinned" } }),
		{ maxUsed: bytes(0) },
		["old:50", "new:20"],
		200,
	],
	[
		"what was used a moment ago stays",
		facts({ ...THREE, now: { layers: "e", ageMs: 1000 } }),
		{ maxUsed: bytes(0) },
		["old:50", "middle:130", "new:20"],
		210,
	],
	[
		"even when it is old by the policy",
		facts({ one: { layers: "a", ageMs: 5 * 60_000 } }),
		{ unusedForMs: 60_000 },
		[],
		0,
	],
	[
		"times of a clock that was set back are no age",
		facts({ one: { layers: "a", ageMs: -DAY } }),
		{ maxUsed: bytes(0) },
		[],
		100,
	],
	[
		"nameless images go before all others",
		facts({ ...THREE, nameless: { layers: "e", ageMs: HOUR, isExpendable: true } }),
		{ maxUsed: bytes(200) },
		["nameless:10"],
		10,
	],
	[
		"what frees nothing stays",
		facts({
			copy: { layers: "a", ageMs: 9 * DAY },
			first: { layers: "b", ageMs: 8 * DAY },
			base: { layers: "a", ageMs: DAY, keptBecause: "x" },
		}),
		{ maxUsed: bytes(100) },
		["first:50"],
		50,
	],
	[
		"what frees something only together goes together",
		facts({ one: { layers: "a", ageMs: 9 * DAY }, two: { layers: "a", ageMs: 8 * DAY } }),
		{ maxUsed: bytes(50) },
		["one:0", "two:100"],
		50,
	],
	[
		"layers of containers and of running operations are used, and not freed",
		facts(THREE, { heldParts: parts("ae") }),
		{ maxUsed: bytes(100) },
		["old:50", "middle:30", "new:20"],
		110,
	],
	[
		"children go before their parents",
		facts({
			parent: { layers: "a", ageMs: 3 * DAY, dependants: ["child"] },
			child: { layers: "ab", ageMs: 2 * DAY },
			other: { layers: "c", ageMs: DAY },
		}),
		{ maxUsed: bytes(40) },
		["child:50", "parent:100"],
		140,
	],
	[
		"a parent stays with its child",
		facts({
			parent: { layers: "a", ageMs: 3 * DAY, dependants: ["child"] },
			child: { layers: "ab", ageMs: 2 * DAY, keptBecause: "container web uses it" },
		}),
		{ maxUsed: bytes(0), unusedForMs: DAY },
		[],
		150,
	],
	[
		"a child does not come back without its parent",
		facts({
			parent: { layers: "a", ageMs: 3 * DAY, dependants: ["child"] },
			child: { layers: "a", ageMs: 4 * DAY },
		}),
		{ maxUsed: bytes(50) },
		["child:0", "parent:100"],
		50,
	],
	[
		"images and build cache are one budget, by age",
		facts({
			image: { layers: "a", ageMs: 3 * DAY },
			step: { kind: "build-cache", layers: "b", ageMs: 4 * DAY },
			shared: { kind: "build-cache", layers: "ac", ageMs: 2 * DAY },
		}),
		{ maxUsed: bytes(60) },
		["step:50", "image:0", "shared:130"],
		120,
	],
	[
		"the same ID in two consumers is two things",
		facts(
			{},
			{
				items: [
					item({ id: "x", layers: "a", ageMs: DAY }),
					item({ id: "x", kind: "build-cache", layers: "b", ageMs: 2 * DAY }),
				],
			},
		),
		{ maxUsed: bytes(100) },
		["x:50"],
		50,
	],
	[
		"things without size are no trouble",
		facts({ empty: { layers: "", ageMs: DAY }, zero: { layers: "z", ageMs: DAY } }),
		{ maxUsed: bytes(0) },
		[],
		0,
	],
];

describe("planCollection()", () => {
	for (const [name, given, limits, removed, wanted] of CASES)
		test(name, () => {
			const plan = planCollection(given, policy(limits));
			expect(plan.removals.map(({ name, freedBytes }) => `${name}:${freedBytes}`)).toEqual([...removed]);
			expect(plan.wantedBytes).toBe(wanted);
			expect(plan.freedBytes).toBe(plan.removals.reduce((sum, { freedBytes }) => sum + freedBytes, 0));
			expect(plan.kept.length + plan.removals.length).toBe(given.items.length);
		});

	test("says why", () => {
		const given = facts({
			pinned: { layers: "e", ageMs: 30 * DAY, keptBecause: "pinned" },
			aged: { layers: "b", ageMs: 8 * DAY + HOUR },
			old: { layers: "c", ageMs: 3 * DAY },
			base: { layers: "d", ageMs: 3 * DAY, dependants: ["recent"] },
			recent: { layers: "ad", ageMs: 5 * 60_000 },
		});
		const plan = planCollection(given, policy({ unusedForMs: 8 * DAY, maxUsed: bytes(100) }));
		expect(plan.removals.map(({ name, reason }) => [name, reason])).toEqual([
			["aged", "not used for 8 days"],
			["old", "more than max-used-space is used"],
		]);
		expect(plan.kept.map(({ name, reason }) => [name, reason])).toEqual([
			["pinned", "pinned"],
			["base", "recent stands on it"],
			["recent", "used 5 minutes ago"],
		]);
		const short = planCollection(facts(THREE), policy({ minFree: bytes(401) }));
		expect(short.removals.map(({ reason }) => reason)).toEqual(["less than min-free-space is free"]);
		expect(short.kept.map(({ reason }) => reason)).toEqual(["within the limits", "within the limits"]);
	});

	test("plans for ten thousand things at once", () => {
		const items = Array.from({ length: 10_000 }, (_, index) =>
			item({
				id: `i${index}`,
				kind: "build-cache",
				layers: "abc",
				ageMs: DAY + index,
				dependants: index === 0 ? [] : [`i${index - 1}`],
			}),
		);
		const plan = planCollection(facts({}, { items }), policy({ maxUsed: bytes(0) }));
		expect([plan.removals.length, plan.freedBytes]).toEqual([10_000, 180]);
	});
});

test("describeAge() rounds down to a unit that says enough", () => {
	const ages = [0, 1000, 90_000, 120_000, 7_199_999, 2 * HOUR, 47 * HOUR, 48 * HOUR, 400 * DAY];
	expect(ages.map(describeAge)).toEqual([
		"0 seconds",
		"1 second",
		"90 seconds",
		"2 minutes",
		"119 minutes",
		"2 hours",
		"47 hours",
		"2 days",
		"400 days",
	]);
});
