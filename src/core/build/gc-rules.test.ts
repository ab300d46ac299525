import { describe, expect, test } from "bun:test";
import { parseCacheRules } from "./gc-rules.ts";

const TOTAL = 1_000_000_000_000;
const plain = (rules: ReturnType<typeof parseCacheRules>) =>
	rules.map(({ filters, ...rule }) => ({ ...rule, filters: Object.fromEntries(filters) }));

describe("parseCacheRules()", () => {
	test.each([
		["a tenth of the disk when nothing is said", {}, { maxUsedBytes: TOTAL / 10 }],
		["the old name", { gc: { defaultKeepStorage: "20GB" } }, { reservedBytes: 20 * 1024 ** 3 }],
		["shares of the disk", { gc: { defaultMinFreeSpace: "20%" } }, { minFreeBytes: TOTAL / 5 }],
	])("takes %s", (_name, builder, limits) => {
		const rule = { all: true, filters: {}, reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0, ...limits };
		expect(plain(parseCacheRules(builder, TOTAL))).toEqual([rule]);
	});

	test("takes a list of rules with filters", () => {
		const policy = [
			{ keepStorage: 5, filter: ["unused-for=48h", "type==exec.cachemount"] },
			{ all: true, maxUsedSpace: "1k" },
		];
		expect(plain(parseCacheRules({ gc: { enabled: true, policy } }, TOTAL))).toEqual([
			{
				all: false,
				filters: { "unused-for": ["48h"], type: ["exec.cachemount"] },
				reservedBytes: 5,
				maxUsedBytes: 0,
				minFreeBytes: 0,
			},
			{ all: true, filters: {}, reservedBytes: 0, maxUsedBytes: 1024, minFreeBytes: 0 },
		]);
	});

	test("has none when it is off", () => expect(parseCacheRules({ gc: { enabled: false } }, TOTAL)).toEqual([]));

	test.each([
		[{ gc: { keep: 1 } }, 'unknown key "keep"'],
		[{ gc: { policy: [{ filter: ["color=red"] }] } }, "invalid filter 'color'"],
		[{ gc: { defaultMaxUsedSpace: "much" } }, "defaultMaxUsedSpace must be a size"],
		[{ gc: [] }, "builder.gc must be an object"],
	])("refuses %j", (builder, message) => expect(() => parseCacheRules(builder, TOTAL)).toThrow(message));
});
