import { describe, expect, test } from "bun:test";
import { DEFAULT_GC_POLICY, parseGcPolicy, parseGcSpace, spaceBytes } from "./policy.ts";

describe("parseGcPolicy()", () => {
	test("reads everything there is", () => {
		expect(
			parseGcPolicy({
				"max-used-space": "50GB",
				"min-free-space": "12.5%",
				"unused-for": "168h",
				grace: "1m30s",
				keep: ["debian:*", "example.com/prod/*"],
				interval: "1h",
			}),
		).toEqual({
			isEnabled: true,
			maxUsed: { kind: "bytes", bytes: 50 * 2 ** 30 },
			minFree: { kind: "percent", percent: 12.5 },
			unusedForMs: 168 * 3_600_000,
			graceMs: 90_000,
			keep: ["debian:*", "example.com/prod/*"],
			intervalMs: 3_600_000,
		});
	});

	test("fills in what is left out, and can be off", () => {
		expect(parseGcPolicy({ enabled: false })).toEqual(DEFAULT_GC_POLICY);
		expect(parseGcPolicy({ "max-used-space": 1000 })).toEqual({
			...DEFAULT_GC_POLICY,
			isEnabled: true,
			maxUsed: { kind: "bytes", bytes: 1000 },
		});
	});

	const wrong: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
		[{ "max-use": "1GB" }, 'gc: unknown key "max-use"'],
		[{}, "gc: nothing would ever be removed"],
		[{ enabled: "yes" }, "gc: enabled must be true or false"],
		[{ "max-used-space": "lots" }, "gc: max-used-space: invalid size: 'lots'"],
		[{ "max-used-space": -1 }, "gc: max-used-space must be a size"],
		[{ "min-free-space": "101%" }, "gc: min-free-space: invalid size: '101%'"],
		[{ "unused-for": "a week" }, 'gc: unused-for: time: invalid duration "a week"'],
		[{ "unused-for": "-1h" }, "gc: unused-for must be a duration that is not negative"],
		[{ "unused-for": 3600 }, "gc: unused-for must be a duration"],
		[{ "unused-for": "1h", keep: "debian" }, "gc: keep must be a list of names"],
		[{ "unused-for": "1h", keep: [""] }, "gc: keep must be a list of names"],
		[{ "unused-for": "1h", interval: "1ms" }, "gc: interval must be at least 1s"],
	];
	for (const [values, message] of wrong)
		test(`refuses ${JSON.stringify(values)}`, () => {
			expect(() => parseGcPolicy(values)).toThrow(message);
		});
});

test("spaceBytes() takes shares of the whole file system", () => {
	const disk = { totalBytes: 999, availableBytes: 1 };
	expect(["10%", "0%", "100 %", "1k"].map((text) => spaceBytes(parseGcSpace(text), disk))).toEqual([99, 0, 999, 1024]);
});
