/**
 * The parser: text to typed instructions, as BuildKit's frontend 1.26 (without labs features) reads it. It does not look at images, contexts
 * or variables, and throws nothing but `DockerfileError`.
 */
import { parseDirective } from "./directives.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { heredocsOf } from "./parser/heredocs.ts";
import { InstructionContext, type SourceFile } from "./parser/instruction-context.ts";
import { parseJsonList, splitInstruction } from "./parser/instruction-words.ts";
import {
	commentText,
	isBlank,
	isComment,
	LogicalLine,
	readHeredoc,
	SourceLines,
	withoutLineEnd,
} from "./parser/logical-line.ts";
import { parseInstruction } from "./parser/parse-instruction.ts";
import type { SourceRange } from "./source-range.ts";
import type {
	ArgInstruction,
	Directive,
	Dockerfile,
	EscapeCharacter,
	Heredoc,
	Instruction,
	Stage,
	StageInstruction,
	Trivia,
} from "./syntax.ts";

export interface ParseOptions {
	/** The name for messages; `Dockerfile` by default. */
	readonly file?: string;
}

const BYTE_ORDER_MARK = "\ufeff";
const HAS_HEREDOCS: readonly string[] = ["ADD", "COPY", "RUN"];

/** @throws DockerfileError */
export function parseDockerfile(text: string | Uint8Array, options: ParseOptions = {}): Dockerfile {
	return new Parser(sourceFile(text, options)).parse();
}

/** Instructions that are in no stage, as those of `docker commit --change`. None for a text without any. @throws DockerfileError */
export function parseInstructions(text: string, options: ParseOptions = {}): Instruction[] {
	return new Parser(sourceFile(text, options)).instructions();
}

/** What stands before the first error. */
export interface PartialDockerfile {
	readonly instructions: readonly Instruction[];
	readonly directives: readonly Directive[];
	readonly emptyContinuations: readonly number[];
}

/** Of a text that does not parse, the instructions before the one that does not. */
export function parseUntilError(text: string | Uint8Array, options: ParseOptions = {}): PartialDockerfile {
	return new Parser(sourceFile(text, options)).parsePartially();
}

function sourceFile(text: string | Uint8Array, { file = "Dockerfile" }: ParseOptions): SourceFile {
	const decoded = typeof text === "string" ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
	return { file, source: decoded.startsWith(BYTE_ORDER_MARK) ? decoded.slice(1) : decoded };
}

/**
 * An ONBUILD trigger of an image. Its ranges are those of the expression: errors about it belong to the FROM that fires it.
 * @throws DockerfileError
 */
export function parseTrigger(expression: string): StageInstruction {
	const instructions = new Parser({ file: "ONBUILD", source: expression }).instructions();
	const [instruction] = instructions;
	if (instruction === undefined || instructions.length > 1)
		throw new DockerfileError({ reason: "an ONBUILD trigger must be a single instruction", file: "ONBUILD" });
	if (instruction.kind === "from" || instruction.kind === "onbuild" || instruction.kind === "maintainer")
		throw new DockerfileError({
			reason: `${instruction.keyword.toUpperCase()} isn't allowed as an ONBUILD trigger`,
			file: "ONBUILD",
		});
	return instruction;
}

class Parser {
	readonly #file: SourceFile;
	readonly #lines: SourceLines;
	readonly #directives: Directive[] = [];
	readonly #emptyContinuations: number[] = [];
	#escape: EscapeCharacter = "\\";
	#mayBeDirective = true;
	#leading: Trivia[] = [];
	#comments: string[] = [];

	constructor(file: SourceFile) {
		this.#file = file;
		this.#lines = new SourceLines(file.source);
	}

	parse(): Dockerfile {
		const instructions = this.instructions();
		if (instructions.length === 0)
			throw new DockerfileError({ reason: "file with no instructions", file: this.#file.file });
		return {
			...this.#file,
			directives: this.#directives,
			escape: this.#escape,
			...this.#stagesOf(instructions),
			trailing: this.#leading,
			emptyContinuations: this.#emptyContinuations,
		};
	}

	parsePartially(): PartialDockerfile {
		const instructions: Instruction[] = [];
		try {
			for (const instruction of this.#read()) instructions.push(instruction);
		} catch (error) {
			if (!(error instanceof DockerfileError)) throw error;
			// The caller has this error already.
		}
		return { instructions, directives: this.#directives, emptyContinuations: this.#emptyContinuations };
	}

	instructions(): Instruction[] {
		return [...this.#read()];
	}

	*#read(): Generator<Instruction> {
		for (;;) {
			const next = this.#lines.next();
			if (next === undefined) return;
			const line = withoutLineEnd(next);
			if (this.#takeDirective(line)) continue;
			this.#mayBeDirective = false;
			if (isBlank(line)) this.#leading.push({ kind: "blank" });
			else if (isComment(line)) this.#addComment(line);
			else yield this.#instruction(line);
		}
	}

	#takeDirective(line: string): boolean {
		const directive = this.#mayBeDirective ? parseDirective(line) : undefined;
		if (directive === undefined) return false;
		const { number } = this.#lines;
		const range = { start: { line: number, column: 1 }, end: { line: number, column: line.length + 1 } };
		if (this.#directives.some(({ name }) => name === directive.name))
			throw this.#problem(`only one ${directive.name} parser directive can be used`, range);
		if (directive.name === "escape") {
			if (directive.value !== "\\" && directive.value !== "`")
				throw this.#problem(`invalid escape character "${directive.value}": it is \\ or \``, range);
			this.#escape = directive.value;
		}
		this.#directives.push({ ...directive, range });
		return true;
	}

	#addComment(line: string): void {
		const text = commentText(line);
		this.#leading.push({ kind: "comment", text });
		if (text === "") this.#comments = [];
		else this.#comments.push(text);
	}

	#instruction(first: string): Instruction {
		const logical = LogicalLine.read(first, this.#lines, this.#escape);
		if (logical.emptyLine !== undefined) this.#emptyContinuations.push(logical.emptyLine);
		const context = new InstructionContext({
			file: this.#file,
			line: logical,
			escape: this.#escape,
			heredocs: this.#heredocs(logical),
			leading: this.#leading,
			comments: this.#comments,
		});
		this.#leading = [];
		this.#comments = [];
		return parseInstruction(context);
	}

	#heredocs(logical: LogicalLine): Heredoc[] {
		const { text } = logical;
		if (!text.includes("<<") || !mayHaveHeredocs(text, this.#escape)) return [];
		const { range } = logical;
		return heredocsOf(text).map((heredoc) => {
			const read = readHeredoc(heredoc, logical, this.#lines);
			if (read === undefined) throw this.#problem(`unterminated heredoc: there is no line "${heredoc.name}"`, range);
			return read;
		});
	}

	#stagesOf(instructions: readonly Instruction[]): { readonly globalArgs: ArgInstruction[]; readonly stages: Stage[] } {
		const globalArgs: ArgInstruction[] = [];
		const stages: (Stage & { readonly instructions: StageInstruction[] })[] = [];
		for (const instruction of instructions) {
			const stage = stages.at(-1);
			if (instruction.kind === "from") {
				const name = instruction.as?.name.toLowerCase() ?? "";
				stages.push({ index: stages.length, name, from: instruction, instructions: [] });
			} else if (stage !== undefined) stage.instructions.push(instruction);
			else if (instruction.kind === "arg") globalArgs.push(instruction);
			else
				throw this.#problem(
					`no build stage in current context: ${instruction.keyword.toUpperCase()} stands before the first FROM`,
					instruction.range,
				);
		}
		return { globalArgs, stages };
	}

	#problem(reason: string, range: SourceRange): DockerfileError {
		return new DockerfileError({ reason, ranges: [range], ...this.#file });
	}
}

/** ADD, COPY and RUN, also behind ONBUILD, unless their arguments are JSON. */
function mayHaveHeredocs(text: string, escapeCharacter: EscapeCharacter): boolean {
	let { keyword, rest } = splitInstruction(text, escapeCharacter);
	if (keyword.text.toUpperCase() === "ONBUILD") ({ keyword, rest } = splitInstruction(rest.text, escapeCharacter));
	return HAS_HEREDOCS.includes(keyword.text.toUpperCase()) && parseJsonList(rest.text) === undefined;
}
