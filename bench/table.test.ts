import { expect, test } from "bun:test";
import type { Side } from "./sides.ts";
import { markdownTable, median } from "./table.ts";

test("median() takes the middle and the mean of two middles", () => {
	expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
});

test("markdownTable() shows medians, ratios to the first peer, and what a side has not measured", () => {
	const side = (name: string, kind: Side["kind"]): Side => ({ name, kind, host: "", client: "", repeatsEngine: false });
	const sides = [side("Gantry", "gantry"), side("A", "peer"), side("B", "peer")];
	const figures = [
		{
			scenario: "run",
			unit: "s" as const,
			goal: 1 / 4,
			values: { Gantry: [0.05, 0.06, 0.04], A: [0.2, 0.25], B: [12] },
		},
		{ scenario: "idle", unit: "MB" as const, limit: 90, values: { A: [156] } },
	];
	expect(markdownTable(figures, sides)).toBe(
		[
			"|  | Gantry | A | B | Gantry / A | goal |",
			"| --- | ---: | ---: | ---: | ---: | ---: |",
			"| run | 0.050 s | 0.225 s | 12.0 s | 0.22 | ≤ 0.25 |",
			"| idle | – | 156.0 MB | – | – | ≤ 90 MB |",
		].join("\n"),
	);
});
