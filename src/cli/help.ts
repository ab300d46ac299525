import { nearest } from "../base/nearest-word.ts";
import type { Command, OptionSpec } from "./command.ts";
import { COMMANDS, type CommandEntry, type FoundCommand, GROUPS, PROGRAMS } from "./command-table.ts";
import type { CliContext } from "./context.ts";
import { GLOBAL_OPTIONS } from "./global-options.ts";
import { UNAVAILABLE_COMMANDS } from "./unavailable-commands.ts";
import { ExitError } from "./usage-error.ts";

const COMMON = ["run", "exec", "ps", "build", "logs", "pull", "images", "version", "info"];

/**
 * Answers a command line that names no command: the overview, a noun's overview, or an error with a suggestion.
 * @throws ExitError
 */
export async function showProgramHelp(context: CliContext, words: readonly string[], isHelp: boolean): Promise<number> {
	const [first, second] = words[0] === "help" ? words.slice(1) : words;
	if (first === undefined) return print(context, programHelp());
	if (words[0] === "help") {
		const { findCommand } = await import("./command-table.ts");
		const found = findCommand(words.slice(1));
		if (found !== undefined) return showCommandHelp(context, await found.entry.load(), found);
	}
	const unavailable = UNAVAILABLE_COMMANDS[first] ?? UNAVAILABLE_COMMANDS[`${first} ${second}`];
	if (unavailable !== undefined) {
		const typed = UNAVAILABLE_COMMANDS[first] === undefined ? `${first} ${second}` : first;
		throw new ExitError(1, `gantry ${typed} is not available yet`);
	}
	if (GROUPS[first] === undefined) throw unknownCommand(first, topLevelNames(), "gantry");
	if (second === undefined || second.startsWith("-") || isHelp) return print(context, groupHelp(first));
	throw unknownCommand(second, groupEntries(first).map(verbOf), `gantry ${first}`);
}

export function showCommandHelp(context: CliContext, command: Command, found: FoundCommand): number {
	const { entry, typedPath } = found;
	const parts = [`Usage:  gantry ${typedPath}${command.usage === "" ? "" : ` ${command.usage}`}`, entry.summary];
	if (command.description !== undefined) parts.push(command.description);
	const paths = [entry.path, ...entry.aliases];
	if (paths.length > 1) parts.push(`Aliases:\n  ${paths.map((path) => `gantry ${path}`).join(", ")}`);
	if (command.options.length > 0) parts.push(`Options:\n${formatOptions(command.options)}`);
	if (command.examples !== undefined)
		parts.push(`Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}`);
	return print(context, parts.join("\n\n"));
}

function print(context: CliContext, text: string): number {
	context.stdout.line(text);
	return 0;
}

function unknownCommand(word: string, candidates: readonly string[], program: string): ExitError {
	const near = nearest(word, candidates);
	const hint = near === undefined ? "" : `\n\nDid you mean '${program} ${near}'?`;
	return new ExitError(
		1,
		`gantry: unknown command: ${program} ${word}${hint}\n\nRun '${program} --help' for more information`,
	);
}

function topLevelNames(): string[] {
	return [...topLevelEntries().map(([name]) => name), ...Object.keys(GROUPS), ...Object.keys(PROGRAMS)];
}

function topLevelEntries(): [string, CommandEntry][] {
	const entries: [string, CommandEntry][] = [];
	for (const entry of COMMANDS) {
		const name = [entry.path, ...entry.aliases].find((path) => !path.includes(" "));
		if (name !== undefined) entries.push([name, entry]);
	}
	return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

function groupEntries(group: string): CommandEntry[] {
	return COMMANDS.filter((entry) => entry.path.startsWith(`${group} `));
}

function verbOf(entry: CommandEntry): string {
	return entry.path.slice(entry.path.indexOf(" ") + 1);
}

function programHelp(): string {
	const entries = topLevelEntries();
	const common = COMMON.flatMap((name) => entries.filter(([candidate]) => candidate === name));
	const rest = entries.filter(([name]) => !COMMON.includes(name));
	const rows = (list: [string, CommandEntry][]) => formatRows(list.map(([name, entry]) => [name, entry.summary]));
	return [
		"Usage:  gantry [OPTIONS] COMMAND",
		"Runs containers.",
		`Common Commands:\n${rows(common)}`,
		`Management Commands:\n${formatRows(Object.entries(GROUPS))}`,
		`Commands:\n${rows(rest)}`,
		`Programs:\n${formatRows(Object.entries(PROGRAMS))}`,
		`Global Options:\n${formatOptions(GLOBAL_OPTIONS)}`,
		"Examples:\n  gantry run --rm -it busybox sh\n  gantry ps -a\n  gantry -H tcp://host:2376 --tlsverify info",
		"Run 'gantry COMMAND --help' for more information on a command.",
	].join("\n\n");
}

function groupHelp(group: string): string {
	const rows = groupEntries(group).map((entry): [string, string] => [verbOf(entry), entry.summary]);
	return [
		`Usage:  gantry ${group} COMMAND`,
		GROUPS[group],
		`Commands:\n${formatRows(rows)}`,
		`Run 'gantry ${group} COMMAND --help' for more information on a command.`,
	].join("\n\n");
}

function formatRows(rows: readonly (readonly [string, string])[]): string {
	const width = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, text]) => `  ${name.padEnd(width)}   ${text}`).join("\n");
}

function formatOptions(specs: readonly OptionSpec[]): string {
	const visible = specs.filter((spec) => spec.hidden !== true).toSorted((a, b) => (a.name < b.name ? -1 : 1));
	return formatRows(visible.map((spec) => [optionName(spec), optionHelp(spec)]));
}

function optionName(spec: OptionSpec): string {
	const value = spec.kind === "bool" ? "" : ` ${spec.value ?? spec.kind}`;
	return `${spec.short === undefined ? "    " : `-${spec.short}, `}--${spec.name}${value}`;
}

function optionHelp(spec: OptionSpec): string {
	const shown =
		spec.default === undefined || spec.default === "" || spec.default === "false" ? "" : ` (default ${spec.default})`;
	return spec.help + shown;
}
