/** Lines of the file, and the logical lines they make: continuation lines joined, comments and empty lines in between dropped. */
import { isSpace, skipSpace } from "../characters.ts";
import type { Position, SourceRange } from "../source-range.ts";
import type { EscapeCharacter, Heredoc, SourceLine } from "../syntax.ts";

/** Where a part of a logical line stands in the file. */
interface Piece {
	/** Offset in the logical line. */
	readonly at: number;
	readonly line: number;
	readonly column: number;
}

/** The file line by line. */
export class SourceLines {
	readonly #source: string;
	#at = 0;
	/** Of the line read last; 0 before the first. */
	number = 0;

	constructor(source: string) {
		this.#source = source;
	}

	/** The next line with its end; undefined at the end of the file. */
	next(): string | undefined {
		if (this.#at >= this.#source.length) return undefined;
		const newline = this.#source.indexOf("\n", this.#at);
		const end = newline < 0 ? this.#source.length : newline + 1;
		const line = this.#source.slice(this.#at, end);
		this.#at = end;
		this.number++;
		return line;
	}
}

export function withoutLineEnd(line: string): string {
	let end = line.length;
	while (end > 0 && (line[end - 1] === "\n" || line[end - 1] === "\r")) end--;
	return line.slice(0, end);
}

export function isComment(line: string): boolean {
	return line[skipSpace(line)] === "#";
}

export function isBlank(line: string): boolean {
	return skipSpace(line) === line.length;
}

/** The line without the escape character that continues it, or undefined when it does not go on. A doubled one is no continuation. */
export function beforeContinuation(line: string, escapeCharacter: EscapeCharacter): string | undefined {
	let end = line.length;
	while (end > 0 && (line[end - 1] === " " || line[end - 1] === "\t")) end--;
	if (line[end - 1] !== escapeCharacter || line[end - 2] === escapeCharacter) return undefined;
	return line.slice(0, end - 1);
}

/** An instruction as one text, and the way back to places in the file. */
export class LogicalLine {
	readonly lines: SourceLine[] = [];
	/** The first empty line that was skipped. */
	emptyLine: number | undefined;
	readonly firstLine: number;
	#lastLine: number;
	#lastLength = 0;
	readonly #pieces: Piece[] = [];
	readonly #texts: string[] = [];
	#length = 0;

	private constructor(firstLine: number) {
		this.firstLine = firstLine;
		this.#lastLine = firstLine;
	}

	/** @param first the line that was read last from `source`, without its end */
	static read(first: string, source: SourceLines, escapeCharacter: EscapeCharacter): LogicalLine {
		const logical = new LogicalLine(source.number);
		let goesOn = logical.#add(first, skipSpace(first), source.number, escapeCharacter);
		while (goesOn) {
			const next = source.next();
			if (next === undefined) break;
			const line = withoutLineEnd(next);
			if (isComment(line)) logical.#skip("comment", line, source.number);
			else if (isBlank(line)) {
				logical.emptyLine ??= source.number;
				logical.#skip("blank", line, source.number);
			} else goesOn = logical.#add(line, 0, source.number, escapeCharacter);
		}
		return logical;
	}

	/** Not trimmed at its end. */
	get text(): string {
		return this.#texts.join("");
	}

	get range(): SourceRange {
		const first = this.#pieces[0];
		return {
			start: { line: this.firstLine, column: first?.column ?? 1 },
			end: { line: this.#lastLine, column: this.#lastLength + 1 },
		};
	}

	/** The place of a part of `text`. */
	rangeOf(start: number, end: number): SourceRange {
		const last = this.#positionOf(Math.max(end - 1, start));
		return { start: this.#positionOf(start), end: { line: last.line, column: last.column + 1 } };
	}

	/** Lines that belong to the instruction but not to its text. */
	addHeredocLine(line: string, number: number): void {
		this.#skip("heredoc", line, number);
	}

	#add(line: string, from: number, number: number, escapeCharacter: EscapeCharacter): boolean {
		const continued = beforeContinuation(line.slice(from), escapeCharacter);
		const text = continued ?? line.slice(from);
		this.#pieces.push({ at: this.#length, line: number, column: from + 1 });
		this.#texts.push(text);
		this.#length += text.length;
		this.#skip("code", line, number);
		return continued !== undefined;
	}

	#skip(kind: SourceLine["kind"], text: string, number: number): void {
		this.lines.push({ kind, text });
		this.#lastLine = number;
		this.#lastLength = text.length;
	}

	#positionOf(offset: number): Position {
		const piece = this.#pieces.findLast(({ at }) => at <= offset);
		if (piece === undefined) return { line: this.firstLine, column: 1 };
		return { line: piece.line, column: piece.column + offset - piece.at };
	}
}

/** Reads the lines of a heredoc. False when the file ends before its delimiter. */
export function readHeredoc(heredoc: Heredoc, logical: LogicalLine, source: SourceLines): Heredoc | undefined {
	const content: string[] = [];
	for (;;) {
		const line = source.next();
		if (line === undefined) return undefined;
		const text = withoutLineEnd(line);
		logical.addHeredocLine(text, source.number);
		if ((heredoc.stripTabs ? text.replace(/^\t+/, "") : text) === heredoc.name)
			return { ...heredoc, content: content.join("") };
		content.push(line);
	}
}

/** Comment text without `#` and white space around it. */
export function commentText(line: string): string {
	const start = skipSpace(line) + 1;
	let end = line.length;
	while (end > start && isSpace(line[end - 1] ?? "")) end--;
	return line.slice(skipSpace(line, start), Math.max(end, skipSpace(line, start)));
}
