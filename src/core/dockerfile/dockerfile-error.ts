/** The one error that parsing, expanding and checking a Dockerfile throws. */
import { InvalidParameterError } from "../../base/errors.ts";
import type { SourceRange } from "./source-range.ts";

export interface DockerfileErrorDetails {
	/** What is wrong, without place: `unknown instruction: RNU`. */
	readonly reason: string;
	/** The name people know the file by; `Dockerfile` by default. */
	readonly file?: string;
	/** Where, innermost first. Empty when it concerns the file as a whole. */
	readonly ranges?: readonly SourceRange[];
	/** The word that was perhaps meant. */
	readonly suggestion?: string | undefined;
	/** The file's text, for the excerpt. */
	readonly source?: string;
	readonly cause?: unknown;
}

/** Lines of an excerpt, and characters of a line, beyond which it is cut. */
const EXCERPT_LINES = 6;
const EXCERPT_COLUMNS = 160;
/** Characters of a reason: it may quote what is in the file. */
const REASON_LENGTH = 500;

/**
 * Its message is for people: `Dockerfile:3:1: unknown instruction: RNU (did you mean RUN?)` and, below it, the lines with a marker. For
 * programs there are `reason`, `file`, `ranges` and `suggestion`.
 */
export class DockerfileError extends InvalidParameterError {
	readonly reason: string;
	readonly file: string;
	readonly ranges: readonly SourceRange[];
	readonly suggestion: string | undefined;

	constructor(given: DockerfileErrorDetails) {
		const details = { ...given, reason: cut(given.reason, REASON_LENGTH) };
		super(messageOf(details), details.cause === undefined ? undefined : { cause: details.cause });
		this.reason = details.reason;
		this.file = details.file ?? "Dockerfile";
		this.ranges = details.ranges ?? [];
		this.suggestion = details.suggestion;
	}

	/** The same error with its place; one that has a place already stays as it is. */
	at(place: { readonly file: string; readonly source: string; readonly range: SourceRange }): DockerfileError {
		if (this.ranges.length > 0) return this;
		const { file, source, range } = place;
		return new DockerfileError({
			reason: this.reason,
			suggestion: this.suggestion,
			file,
			source,
			ranges: [range],
			cause: this.cause,
		});
	}

	/** `reason`, and the suggestion if there is one: one line, without place. */
	get summary(): string {
		return withSuggestion(this.reason, this.suggestion);
	}
}

/** A word that begins an instruction and is none. */
export class UnknownInstructionError extends DockerfileError {
	constructor(
		readonly keyword: string,
		details: Omit<DockerfileErrorDetails, "reason">,
	) {
		super({ ...details, reason: `unknown instruction: ${keyword}` });
	}
}

function messageOf({ reason, file = "Dockerfile", ranges = [], suggestion, source }: DockerfileErrorDetails): string {
	const [range] = ranges;
	const place = range === undefined ? file : `${file}:${range.start.line}:${range.start.column}`;
	const headline = `${place}: ${withSuggestion(reason, suggestion)}`;
	return range === undefined || source === undefined ? headline : `${headline}\n${excerpt(source, range)}`;
}

function withSuggestion(reason: string, suggestion: string | undefined): string {
	return suggestion === undefined ? reason : `${reason} (did you mean ${suggestion}?)`;
}

/**
 * The lines of a range with a line of context before it, as
 *
 *       2 | WORKDIR /src
 *     > 3 | RNU make
 *         | ^^^
 */
export function excerpt(source: string, range: SourceRange): string {
	const { start, end } = range;
	const lines = linesFrom(source, Math.max(start.line - 1, 1), Math.min(end.line, start.line + EXCERPT_LINES - 1));
	const width = String(end.line).length;
	return lines
		.flatMap(({ number, text }) => {
			const marked = number >= start.line;
			const shown = `${marked ? ">" : " "} ${String(number).padStart(width)} | ${cut(text)}`.trimEnd();
			return number === start.line && start.line === end.line
				? [shown, `  ${" ".repeat(width)} | ${marker(text, range)}`]
				: [shown];
		})
		.join("\n");
}

function cut(text: string, length = EXCERPT_COLUMNS): string {
	return text.length > length ? `${text.slice(0, length)}…` : text;
}

function marker(line: string, { start, end }: SourceRange): string {
	const from = Math.min(start.column - 1, EXCERPT_COLUMNS);
	const to = Math.min(Math.max(end.column - 1, from + 1), EXCERPT_COLUMNS + 1);
	const indent = line.slice(0, from).replace(/[^\t]/g, " ");
	return indent + "^".repeat(to - from);
}

/** Lines by number, from a text that may be long. */
function linesFrom(source: string, first: number, last: number): { readonly number: number; readonly text: string }[] {
	const lines: { readonly number: number; readonly text: string }[] = [];
	let at = 0;
	for (let number = 1; number <= last && at <= source.length; number++) {
		const next = source.indexOf("\n", at);
		const stop = next < 0 ? source.length : next;
		if (number >= first) lines.push({ number, text: source.slice(at, stop).replace(/\r$/, "") });
		if (next < 0) break;
		at = next + 1;
	}
	return lines;
}
