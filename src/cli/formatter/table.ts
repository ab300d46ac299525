/** Columns as Go's tabwriter lays them out for docker: at least ten wide, three blanks between, the last one as it is. */
const MIN_WIDTH = 10;
const PADDING = 3;

export function layOutTable(lines: readonly (readonly string[])[]): string {
	return layOut(lines, MIN_WIDTH, PADDING);
}

/** Columns as narrow as they can be. */
export function layOutTight(lines: readonly (readonly string[])[], padding: number): string {
	return layOut(lines, 0, padding);
}

function layOut(lines: readonly (readonly string[])[], minWidth: number, padding: number): string {
	const widths: number[] = [];
	for (const cells of lines)
		for (const [index, cell] of cells.entries())
			if (index < cells.length - 1) widths[index] = Math.max(widths[index] ?? minWidth, textWidth(cell) + padding);
	let text = "";
	for (const cells of lines) {
		for (const [index, cell] of cells.entries())
			text += index < cells.length - 1 ? cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - textWidth(cell))) : cell;
		text += "\n";
	}
	return text;
}

/** Characters, each taken for one column wide. */
export function textWidth(cell: string): number {
	// Only what is not ASCII needs counting by characters.
	return /^[\x00-\x7f]*$/.test(cell) ? cell.length : [...cell].length;
}

/** As `layOutTable`, but with columns at least twenty wide (`top`). */
export function layOutWideTable(lines: readonly (readonly string[])[]): string {
	return layOut(lines, 20, PADDING);
}
