/**
 * Puts variables into an instruction. What takes them: ADD, COPY (not `--from`), ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR,
 * the mounts of RUN, and the text of heredocs that COPY and ADD write. ARG and FROM have scopes of their own (`build-arguments.ts`); the
 * commands of RUN, CMD, ENTRYPOINT and HEALTHCHECK are the shell's.
 */
import { InvalidParameterError } from "../../base/errors.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import type { SourceFile } from "./parser/instruction-context.ts";
import { expandMount } from "./parser/mount-flag.ts";
import {
	type AddInstruction,
	type CopyInstruction,
	type Dockerfile,
	type EscapeCharacter,
	type Heredoc,
	heredocText,
	type Instruction,
	type KeyValue,
	type Mount,
	type RunInstruction,
} from "./syntax.ts";
import { type Expansion, expandWord, type Variables } from "./word-expansion.ts";

/** An instruction's words expanded; quotes and escapes are gone. */
export interface Expanded<Kind extends Instruction = Instruction> {
	readonly instruction: Kind;
	/** Names that were read though nothing sets them, for the rule UndefinedVar. */
	readonly unmatched: ReadonlySet<string>;
}

type Expand = (word: string) => string;

/** The same instruction with its variables put in; one that takes none comes back as it is. @throws DockerfileError with its place */
export function expandInstruction<Kind extends Instruction>(
	instruction: Kind,
	variables: Variables,
	dockerfile: Pick<Dockerfile, "escape" | "file" | "source">,
): Expanded<Kind> {
	const unmatched = new Set<string>();
	const expand = expander(variables, dockerfile.escape, unmatched);
	return atInstruction(instruction, dockerfile, () => ({
		// What comes back is of the kind that went in.
		instruction: expandFields(instruction, expand, heredocExpander(variables, unmatched)) as Kind,
		unmatched,
	}));
}

/** The mounts of a RUN with their variables put in. @throws DockerfileError with its place */
export function expandMounts(
	run: RunInstruction,
	variables: Variables,
	dockerfile: Pick<Dockerfile, "escape" | "file" | "source">,
): { readonly mounts: readonly Mount[]; readonly unmatched: ReadonlySet<string> } {
	const unmatched = new Set<string>();
	const expand = expander(variables, dockerfile.escape, unmatched);
	const mounts = atInstruction(run, dockerfile, () => run.mounts.map((mount) => expandMount(mount, expand)));
	return { mounts, unmatched };
}

/** The ports of an EXPOSE as words: a variable may hold several. @throws DockerfileError with its place */
export function expandPorts(
	instruction: Extract<Instruction, { readonly kind: "expose" }>,
	variables: Variables,
	dockerfile: Pick<Dockerfile, "escape" | "file" | "source">,
): { readonly ports: readonly string[]; readonly unmatched: ReadonlySet<string> } {
	const unmatched = new Set<string>();
	const ports = atInstruction(instruction, dockerfile, () =>
		instruction.ports.toSorted().flatMap((port) => {
			const expansion = expandWord(port, variables, { escape: dockerfile.escape });
			for (const name of expansion.unmatched) unmatched.add(name);
			return expansion.words;
		}),
	);
	return { ports, unmatched };
}

/** Gives errors without a place that of an instruction, whatever found the instruction to be wrong. */
export function atInstruction<Result>(
	{ range }: Pick<Instruction, "range">,
	{ file, source }: SourceFile,
	action: () => Result,
): Result {
	try {
		return action();
	} catch (error) {
		if (error instanceof DockerfileError) throw error.at({ file, source, range });
		if (!(error instanceof InvalidParameterError)) throw error;
		throw new DockerfileError({ reason: error.message, file, source, ranges: [range], cause: error });
	}
}

function expandFields(instruction: Instruction, expand: Expand, expandText: Expand): Instruction {
	switch (instruction.kind) {
		case "env":
		case "label":
			return { ...instruction, pairs: instruction.pairs.map((pair) => expandPair(pair, expand)) };
		case "copy":
			return { ...instruction, ...expandFiles(instruction, expand, expandText) };
		case "add": {
			const { checksum } = instruction;
			const files = expandFiles(instruction, expand, expandText);
			return { ...instruction, ...files, checksum: checksum === undefined ? undefined : expand(checksum) };
		}
		case "volume":
			return { ...instruction, paths: instruction.paths.map(expand) };
		case "user":
			return { ...instruction, user: expand(instruction.user) };
		case "workdir":
			return { ...instruction, path: expand(instruction.path) };
		case "stopsignal":
			return { ...instruction, signal: expand(instruction.signal) };
		default:
			return instruction;
	}
}

function expandPair({ key, value }: KeyValue, expand: Expand): KeyValue {
	return { key: expand(key), value: expand(value) };
}

/** `--exclude` and `--from` take none. */
function expandFiles(
	{ sources, heredocs, destination, chown, chmod }: CopyInstruction | AddInstruction,
	expand: Expand,
	expandText: Expand,
) {
	return {
		chown: chown === undefined ? undefined : expand(chown),
		chmod: chmod === undefined ? undefined : expand(chmod),
		sources: sources.map(expand),
		destination: expand(destination),
		heredocs: heredocs.map((heredoc) => expandHeredoc(heredoc, expandText)),
	};
}

/** Tabs are stripped first; what comes back is what the file will hold. */
function expandHeredoc(heredoc: Heredoc, expandText: Expand): Heredoc {
	if (!heredoc.expand) return heredoc;
	return { ...heredoc, content: expandText(heredocText(heredoc)), stripTabs: false };
}

function expander(variables: Variables, escapeCharacter: EscapeCharacter, unmatched: Set<string>): Expand {
	return (word) => noting(expandWord(word, variables, { escape: escapeCharacter }), unmatched);
}

/** In a heredoc quotes are text, and the escape character is a backslash whatever the file says. */
function heredocExpander(variables: Variables, unmatched: Set<string>): Expand {
	return (text) => noting(expandWord(text, variables, { plainQuotes: true }), unmatched);
}

function noting(expansion: Expansion, unmatched: Set<string>): string {
	for (const name of expansion.unmatched) unmatched.add(name);
	return expansion.text;
}
