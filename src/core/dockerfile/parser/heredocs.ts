/** Finds the `<<NAME` words of an instruction, as a shell would see them. */
import { DockerfileError } from "../dockerfile-error.ts";
import type { Heredoc } from "../syntax.ts";
import { type ExpansionOptions, expandWord, NO_VARIABLES } from "../word-expansion.ts";

const HEREDOC = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/;

/** The escape character of heredocs and of the shell is always a backslash. */
const AS_WRITTEN: ExpansionOptions = { keepQuotes: true, keepEscapes: true, keepUnset: true };

/** Without contents, in the order of the line. None when the line's quotes or braces are not those of a Dockerfile, as in `${x^^}`. */
export function heredocsOf(line: string): Heredoc[] {
	if (!line.includes("<<")) return [];
	let words: readonly string[];
	try {
		({ words } = expandWord(line, NO_VARIABLES, AS_WRITTEN));
	} catch (error) {
		// The shell may understand it.
		if (error instanceof DockerfileError) return [];
		throw error;
	}
	return words.map(parseHeredocWord).filter((heredoc) => heredoc !== undefined);
}

/** Undefined for a word that is no heredoc. @throws DockerfileError for a delimiter with unbalanced quotes */
export function parseHeredocWord(word: string): Heredoc | undefined {
	const [, descriptor = "", dash = "", delimiter = ""] = HEREDOC.exec(word) ?? [];
	if (delimiter === "") return undefined;
	const { words } = expandWord(delimiter, NO_VARIABLES, { keepUnset: true });
	const [name] = words;
	if (name === undefined || words.length > 1) return undefined;
	const quoted = expandWord(delimiter, NO_VARIABLES, { keepUnset: true, keepQuotes: true }).text;
	return {
		name,
		fileDescriptor: Number(descriptor),
		expand: countQuotes(quoted) === countQuotes(name),
		stripTabs: dash !== "",
		content: "",
	};
}

function countQuotes(text: string): number {
	return text.replace(/[^'"]/g, "").length;
}
