/** A place in a Dockerfile. Both count from 1; a column is a UTF-16 unit of the line as it stands in the file. */
export interface Position {
	readonly line: number;
	readonly column: number;
}

/** From `start` up to, and not including, `end`. */
export interface SourceRange {
	readonly start: Position;
	readonly end: Position;
}

/** Every line number that a range touches. */
export function linesOf({ start, end }: SourceRange): number[] {
	const last = end.column <= 1 && end.line > start.line ? end.line - 1 : end.line;
	return Array.from({ length: last - start.line + 1 }, (_, index) => start.line + index);
}
