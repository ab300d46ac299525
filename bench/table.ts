/** Figures to a Markdown table. Pure. */
import type { Side } from "./sides.ts";

export interface Figure {
	/** What was measured. */
	readonly scenario: string;
	readonly unit: "s" | "MB";
	/** Most that Gantry may need, as a part of what the first peer needs; absent where there is no such goal. */
	readonly goal?: number;
	/** Same for the side with Gantry's own client, where it differs. */
	readonly ownClientGoal?: number;
	/** Most that Gantry may need, in `unit`s. */
	readonly limit?: number;
	/** All measurements, by side name. A side that cannot run the scenario is absent. */
	readonly values: Readonly<Record<string, readonly number[]>>;
}

/** The middle value; the mean of the two middle ones of an even number. NaN of nothing. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] ?? Number.NaN;
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** One row for each figure: the medians of all sides, then Gantry's ratios to the first peer beside their goals. */
export function markdownTable(figures: readonly Figure[], sides: readonly Side[]): string {
	const reference = sides.find((side) => side.kind === "peer");
	const ours = sides.filter((side) => side.kind === "gantry");
	const ratioHeads = reference === undefined ? [] : [...ours.map((side) => `${side.name} / ${reference.name}`), "goal"];
	const rows = figures.map((figure) => [
		figure.scenario,
		...sides.map((side) => formatValue(median(figure.values[side.name] ?? []), figure.unit)),
		...(reference === undefined ? [] : ratioCells(figure, ours, reference)),
	]);
	const head = ["", ...sides.map((side) => side.name), ...ratioHeads];
	const rule = head.map((_, index) => (index === 0 ? "---" : "---:"));
	return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function ratioCells(figure: Figure, ours: readonly Side[], reference: Side): string[] {
	const base = median(figure.values[reference.name] ?? []);
	const ratios = ours.map((side) => {
		const ratio = median(figure.values[side.name] ?? []) / base;
		return Number.isNaN(ratio) ? "–" : ratio.toFixed(2);
	});
	const goals = [figure.goal, figure.ownClientGoal].flatMap((goal) =>
		goal === undefined ? [] : [`${Number(goal.toFixed(3))}`],
	);
	if (figure.limit !== undefined) goals.push(`${figure.limit} ${figure.unit}`);
	return [...ratios, goals.length === 0 ? "" : `≤ ${goals.join(", ")}`];
}

function formatValue(value: number, unit: Figure["unit"]): string {
	if (Number.isNaN(value)) return "–";
	if (unit === "MB") return `${value.toFixed(1)} MB`;
	return value < 10 ? `${value.toFixed(3)} s` : `${value.toFixed(1)} s`;
}
