/** COPY and ADD. */

import type { AddInstruction, CopyInstruction, Heredoc } from "../syntax.ts";
import { expandWord, NO_VARIABLES } from "../word-expansion.ts";
import { parseHeredocWord } from "./heredocs.ts";
import type { InstructionContext } from "./instruction-context.ts";
import { parseJsonList, plainWords } from "./instruction-words.ts";

const COMMON_FLAGS = { chown: "text", chmod: "text", link: "boolean", exclude: "list" } as const;

/** A shell would take the next word for the name. */
const LONE_OPERATOR = /^\d*<<-?$/;

/** @throws DockerfileError */
export function parseCopy(context: InstructionContext): CopyInstruction {
	const flags = context.flags({ ...COMMON_FLAGS, from: "text", parents: "boolean" });
	const { from, link = false, parents = false } = flags;
	if (from !== undefined && context.locate(() => expandWord(from, NO_VARIABLES).text) !== from)
		throw context.problem(
			"variable expansion is not supported for --from: name a stage with FROM … AS, where global ARGs can be used",
			context.flagWord("from"),
		);
	return { ...context.base, kind: "copy", ...files(context), ...flags, from: nonEmpty(from), link, parents };
}

/** @throws DockerfileError */
export function parseAdd(context: InstructionContext): AddInstruction {
	const {
		"keep-git-dir": keepGitDir,
		link = false,
		...flags
	} = context.flags({ ...COMMON_FLAGS, "keep-git-dir": "boolean", checksum: "text", unpack: "boolean" });
	return { ...context.base, kind: "add", ...files(context), ...flags, link, keepGitDir };
}

type Files = Pick<CopyInstruction, "sources" | "heredocs" | "destination" | "json">;

function files(context: InstructionContext): Files {
	const list = parseJsonList(context.rest.text);
	if (list === "not texts") throw context.problem("a JSON list of arguments must hold texts only", context.rest);
	const words = list ?? plainWords(context.rest).map(({ text }) => text);
	const destination = words.at(-1);
	if (destination === undefined || words.length < 2)
		throw context.problem(
			`${context.name} requires at least two arguments, but only ${words.length === 1 ? "one was" : "none were"} provided. Destination could not be determined`,
		);
	// In a JSON list a word is a path, whatever it looks like.
	if (list !== undefined) return { sources: list.slice(0, -1), heredocs: [], destination, json: true };
	if (context.locate(() => parseHeredocWord(destination)) !== undefined)
		throw context.problem(`${context.name} cannot accept a heredoc as a destination`);
	const contents = new Map(context.heredocs.map((heredoc) => [heredoc.name, heredoc.content]));
	const sources: string[] = [];
	const heredocs: Heredoc[] = [];
	for (const word of words.slice(0, -1)) {
		const heredoc = context.locate(() => parseHeredocWord(word));
		const content = contents.get(heredoc?.name ?? "");
		if (heredoc === undefined && LONE_OPERATOR.test(word))
			throw context.problem(`write a heredoc without white space behind ${word}, and a path of that name in JSON form`);
		if (heredoc === undefined) sources.push(word);
		else if (content !== undefined) heredocs.push({ ...heredoc, content });
		else throw context.problem(`cannot read the heredoc ${word}: quotes or braces of the line have no partner`);
	}
	return { sources, heredocs, destination, json: false };
}

function nonEmpty(text: string | undefined): string | undefined {
	return text === "" ? undefined : text;
}
