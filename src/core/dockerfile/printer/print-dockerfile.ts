/**
 * The printer: a Dockerfile, parsed or made by a program, as formatted text. Keywords are in capitals, words are separated by one space, lists
 * are JSON with a space behind commas, continuation lines are indented, empty lines come singly and before each stage. What a shell will
 * read keeps its white space. Comments stay where they are.
 */
import { trimSpace } from "../characters.ts";
import { parseDirectiveText } from "../directives.ts";
import { DockerfileError } from "../dockerfile-error.ts";
import { parseDockerfile } from "../parse-dockerfile.ts";
import { commentText } from "../parser/logical-line.ts";
import type { Directive, Dockerfile, EscapeCharacter, Instruction, SourceLine, Trivia } from "../syntax.ts";
import { heredocLines, printInstruction } from "./print-instruction.ts";

export type PrintableDockerfile = Pick<Dockerfile, "directives" | "escape" | "globalArgs" | "stages" | "trailing">;

const INDENT = "    ";
/** Instructions whose words mean the same whatever white space is between them. */
const OF_WORDS: readonly Instruction["kind"][] = ["from", "env", "label", "arg", "copy", "add", "expose", "volume"];

/** Parses to the same instructions again, whatever is in them. Ends with a line end. */
export function printDockerfile(dockerfile: PrintableDockerfile): string {
	const { stages, globalArgs, trailing } = dockerfile;
	const directives = directivesOf(dockerfile);
	const blocks: string[] = directives.map(({ name, value }) => `# ${name}=${value}`);
	const instructions = [...globalArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
	for (const [index, instruction] of instructions.entries()) {
		const blank = instruction.kind === "from" && index > 0;
		blocks.push(...printTrivia(instruction.leading, blank, blocks.length === directives.length));
		blocks.push(bestPrint(instruction, dockerfile.escape));
	}
	const end = printTrivia(trailing, false, instructions.length === 0);
	while (end.at(-1) === "") end.pop();
	return `${[...blocks, ...end].join("\n")}\n`;
}

function directivesOf({
	directives,
	escape: escapeCharacter,
}: PrintableDockerfile): Pick<Directive, "name" | "value">[] {
	if (escapeCharacter === "\\" || directives.some(({ name }) => name === "escape")) return [...directives];
	return [...directives, { name: "escape", value: escapeCharacter }];
}

/** @param first nothing but directives stands before: a comment that reads like one needs an empty line to stay a comment */
function printTrivia(trivia: readonly Trivia[], blank: boolean, first: boolean): string[] {
	const lines: string[] = [];
	const looksLikeDirective = trivia.find(({ kind }) => kind === "comment");
	if (first && looksLikeDirective?.kind === "comment" && parseDirectiveText(looksLikeDirective.text) !== undefined)
		lines.push("");
	else if (blank && trivia[0]?.kind !== "blank") lines.push("");
	for (const item of trivia)
		if (item.kind === "comment") lines.push(printComment(item.text));
		else if (lines.at(-1) !== "" && !(first && lines.length === 0)) lines.push("");
	return lines;
}

function printComment(text: string): string {
	// `#!` and `##` stay what they are.
	return text === "" || /^[#!]/.test(text) ? `#${text}` : `# ${text}`;
}

/** The first form that parses to the same instruction: lines as they were but tidied, lines as they were, or from the fields alone. */
function bestPrint(instruction: Instruction, escapeCharacter: EscapeCharacter): string {
	const fromFields = printInstruction(instruction, escapeCharacter);
	const code = instruction.lines.filter(({ kind }) => kind === "code");
	if (code.length < 2) return fromFields;
	const wanted = meaningOf(instruction);
	const forms = [...(OF_WORDS.includes(instruction.kind) ? [tidied(instruction)] : []), asWritten(instruction)];
	const heredocs = heredocLines(instruction);
	return (
		forms.map((form) => form + heredocs).find((form) => meaningOfText(form, escapeCharacter) === wanted) ?? fromFields
	);
}

/** Every line indented alike. */
function tidied({ lines, kind }: Instruction): string {
	return joined(lines, kind, (text) => INDENT + trimSpace(text));
}

function asWritten({ lines, kind }: Instruction): string {
	return joined(lines, kind, (text) => text.trimEnd());
}

function joined(lines: readonly SourceLine[], kind: string, print: (text: string) => string): string {
	const shown = lines.filter((line) => line.kind === "code" || line.kind === "comment");
	return shown
		.map(({ text, kind: lineKind }, index) => {
			if (lineKind === "comment") return INDENT + printComment(commentText(text));
			return index === 0
				? trimSpace(text).replace(/^\S+[\t\v\f\r ]*/, (word) => withCapitals(word, kind))
				: print(text);
		})
		.join("\n");
}

function withCapitals(word: string, kind: string): string {
	return word.trimEnd().toLowerCase() === kind ? `${kind.toUpperCase()} ` : word;
}

function meaningOfText(text: string, escapeCharacter: EscapeCharacter): string | undefined {
	const isFrom = /^FROM\b/.test(text);
	try {
		const { stages } = parseDockerfile(`# escape=${escapeCharacter}\n${isFrom ? "" : "FROM scratch\n"}${text}\n`);
		const all = stages.flatMap(({ from, instructions }): Instruction[] => [from, ...instructions]);
		const [instruction, ...others] = isFrom ? all : all.slice(1);
		return instruction === undefined || others.length > 0 ? undefined : meaningOf(instruction);
	} catch (error) {
		if (error instanceof DockerfileError) return undefined;
		throw error;
	}
}

/** Everything but place, spelling and comments, to compare. */
export function meaningOf(instruction: Instruction): string {
	const { text: _text, range: _range, lines: _lines, leading: _leading, comments: _comments, ...meaning } = instruction;
	return JSON.stringify(meaning, (key, value: unknown) =>
		key === "keyword" || key === "description" ? undefined : value,
	);
}
