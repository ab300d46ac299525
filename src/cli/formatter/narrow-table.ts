import { layOutTable, layOutTight, textWidth } from "./table.ts";

/** Blanks between the columns of a table that has to save room. */
const TIGHT_PADDING = 2;

/**
 * A table for a terminal: as everywhere where it fits; else its columns stand closer, and those that may be cut are, the widest
 * first. What may not be cut stays whole, even if the lines wrap then.
 * @param lines header first, all of the same length
 * @param leastWidths what a column may be cut to; undefined: not at all
 */
export function layOutWithin(
	lines: readonly (readonly string[])[],
	leastWidths: readonly (number | undefined)[],
	columns: number,
): string {
	const plain = layOutTable(lines);
	if (plain.split("\n").every((line) => textWidth(line) <= columns)) return plain;
	const widths = leastWidths.map((_, at) => Math.max(...lines.map((cells) => textWidth(cells[at] ?? ""))));
	const header = lines[0] ?? [];
	// A column's title is never cut.
	const least = leastWidths.map((width, at) =>
		Math.max(width ?? Number.POSITIVE_INFINITY, textWidth(header[at] ?? "")),
	);
	let excess = widths.reduce((sum, width) => sum + width, TIGHT_PADDING * (widths.length - 1)) - columns;
	for (; excess > 0; excess--) {
		const widest = widestCuttable(widths, least);
		if (widest === undefined) break;
		widths[widest] = (widths[widest] ?? 0) - 1;
	}
	return layOutTight(
		lines.map((cells) => cells.map((cell, at) => cut(cell, widths[at] ?? 0))),
		TIGHT_PADDING,
	);
}

function widestCuttable(widths: readonly number[], least: readonly number[]): number | undefined {
	let found: number | undefined;
	for (const [at, width] of widths.entries())
		if (width > (least[at] ?? 0) && (found === undefined || width > (widths[found] ?? 0))) found = at;
	return found;
}

function cut(text: string, width: number): string {
	return textWidth(text) <= width ? text : `${[...text].slice(0, width - 1).join("")}…`;
}
