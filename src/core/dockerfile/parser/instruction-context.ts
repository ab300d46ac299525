/** What the parser of one instruction works with. */
import { trimSpace } from "../characters.ts";
import { DockerfileError, UnknownInstructionError } from "../dockerfile-error.ts";
import type { EscapeCharacter, Heredoc, Instruction, Trivia } from "../syntax.ts";
import { type FlagSpec, type FlagValues, readFlags } from "./flags.ts";
import { type SplitInstruction, splitInstruction, type Word } from "./instruction-words.ts";
import type { LogicalLine } from "./logical-line.ts";

export interface SourceFile {
	readonly file: string;
	readonly source: string;
}

type Base = Pick<Instruction, "keyword" | "text" | "range" | "leading" | "comments" | "lines">;

export interface InstructionParts {
	readonly file: SourceFile;
	readonly line: LogicalLine;
	readonly escape: EscapeCharacter;
	readonly heredocs: readonly Heredoc[];
	readonly leading: readonly Trivia[];
	readonly comments: readonly string[];
}

export class InstructionContext {
	readonly split: SplitInstruction;
	readonly escape: EscapeCharacter;
	readonly heredocs: readonly Heredoc[];
	/** Joined, as far as it goes: ONBUILD keeps the white space at its end. */
	readonly text: string;
	readonly #parts: InstructionParts;

	constructor(parts: InstructionParts) {
		this.#parts = parts;
		this.text = parts.line.text;
		this.split = splitInstruction(this.text, parts.escape);
		this.escape = parts.escape;
		this.heredocs = parts.heredocs;
	}

	/** In capitals. */
	get name(): string {
		return this.split.keyword.text.toUpperCase();
	}

	/** Everything behind keyword and flags. */
	get rest(): Word {
		return this.split.rest;
	}

	/** The fields that every instruction has. */
	get base(): Base {
		const { line, leading, comments } = this.#parts;
		const { keyword } = this.split;
		return {
			keyword: keyword.text,
			text: trimSpace(this.text),
			range: line.range,
			leading,
			comments,
			lines: line.lines,
		};
	}

	get comments(): readonly string[] {
		return this.#parts.comments;
	}

	/** @throws DockerfileError */
	flags<const Spec extends FlagSpec>(spec: Spec): FlagValues<Spec> {
		return readFlags(this.split.flags, spec, (reason, where, suggestion) => this.problem(reason, where, suggestion));
	}

	/** The flag of that name, or the one of several; undefined when there is none. */
	flagWord(name: string, index = 0): Word | undefined {
		return this.split.flags.filter(({ text }) => text === `--${name}` || text.startsWith(`--${name}=`))[index];
	}

	/** An error at a word, or about the instruction as a whole. */
	problem(reason: string, where?: Word, suggestion?: string): DockerfileError {
		const { file, line } = this.#parts;
		const range = where === undefined ? line.range : line.rangeOf(where.start, where.end);
		return new DockerfileError({ reason, ranges: [range], suggestion, ...file });
	}

	unknownInstruction(suggestion: string | undefined): UnknownInstructionError {
		const { file, line } = this.#parts;
		const { text, start, end } = this.split.keyword;
		return new UnknownInstructionError(text, { ranges: [line.rangeOf(start, end)], suggestion, ...file });
	}

	/** Runs a piece of parsing that does not know where it is. @throws DockerfileError with a place */
	locate<Result>(parse: () => Result, where?: () => Word | undefined): Result {
		try {
			return parse();
		} catch (error) {
			throw error instanceof DockerfileError ? this.problem(error.reason, where?.(), error.suggestion) : error;
		}
	}

	atLeastOne(): DockerfileError {
		return this.problem(`${this.name} requires at least one argument`);
	}

	/** The text behind the keyword. @throws DockerfileError when there is none */
	onlyArgument(): string {
		if (this.rest.text === "") throw this.problem(`${this.name} requires exactly one argument`);
		return this.rest.text;
	}
}
