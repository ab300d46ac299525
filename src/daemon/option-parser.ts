/** Flags and configuration file to one table of values, with the reference's rules and words for what is wrong. */
import { errorMessage, InvalidParameterError } from "../base/errors.ts";
import { OPTIONS, type OptionRow } from "./option-table.ts";
import { addFlagValue, type OptionValue, readFileValue } from "./option-values.ts";

/** By the flag's name, or the key where there is no flag. */
export type OptionValues = ReadonlyMap<string, OptionValue>;

const ROWS: readonly OptionRow[] = OPTIONS;

export function optionName(row: OptionRow): string {
	return row.flag ?? row.key ?? "";
}

/** @throws InvalidParameterError */
export function parseFlags(argv: readonly string[]): OptionValues {
	const values = new Map<string, OptionValue>();
	for (let index = 0; index < argv.length; index++) {
		const argument = argv[index] ?? "";
		if (!argument.startsWith("-") || argument === "-")
			throw new InvalidParameterError(`"gantryd" accepts no arguments, but "${argument}" was given`);
		index = argument.startsWith("--") ? longFlag(argv, index, values) : shortFlags(argv, index, values);
	}
	return values;
}

function longFlag(argv: readonly string[], index: number, values: Map<string, OptionValue>): number {
	const argument = argv[index] ?? "";
	const equals = argument.indexOf("=");
	const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
	const row = ROWS.find(({ flag }) => flag !== undefined && flag === name);
	if (row === undefined) throw new InvalidParameterError(`unknown flag: --${name}`);
	return store(argv, index, row, `--${name}`, equals < 0 ? undefined : argument.slice(equals + 1), values);
}

/** `-D`, `-H unix://x`, `-Hunix://x`, `-l=debug`, `-Dl debug`. */
function shortFlags(argv: readonly string[], index: number, values: Map<string, OptionValue>): number {
	let letters = (argv[index] ?? "").slice(1);
	for (;;) {
		const letter = letters[0] ?? "";
		const row = ROWS.find(({ short }) => short === letter);
		if (row === undefined) throw new InvalidParameterError(`unknown shorthand flag: '${letter}' in ${argv[index]}`);
		const rest = letters.slice(1);
		const attached = rest.startsWith("=") ? rest.slice(1) : rest;
		if (row.kind !== "boolean" || rest.startsWith("="))
			return store(argv, index, row, `-${letter}`, rest === "" ? undefined : attached, values);
		store(argv, index, row, `-${letter}`, undefined, values);
		if (rest === "") return index;
		letters = rest;
	}
}

/** @returns the index of the last argument used */
function store(
	argv: readonly string[],
	index: number,
	row: OptionRow,
	spelling: string,
	attached: string | undefined,
	values: Map<string, OptionValue>,
): number {
	const takesNext = attached === undefined && row.kind !== "boolean";
	const text = attached ?? (row.kind === "boolean" ? "true" : argv[index + 1]);
	if (text === undefined) throw new InvalidParameterError(`flag needs an argument: ${spelling}`);
	const name = optionName(row);
	try {
		values.set(name, addFlagValue(row, text, values.get(name)));
	} catch (cause) {
		throw new InvalidParameterError(`invalid argument "${text}" for "${spelling}" flag: ${errorMessage(cause)}`, {
			cause,
		});
	}
	return takesNext ? index + 1 : index;
}

/**
 * @param text content of the file
 * @throws InvalidParameterError naming every key that is unknown, or given as a flag, too
 */
export function parseConfigFile(text: string, flags: OptionValues): OptionValues {
	const values = new Map<string, OptionValue>();
	const entries = Object.entries(parseObject(text));
	const unknown = entries.map(([key]) => key).filter((key) => !ROWS.some((row) => row.key === key));
	if (unknown.length > 0)
		throw new InvalidParameterError(
			`the following directives don't match any configuration option: ${unknown.join(", ")}`,
		);
	const conflicts: string[] = [];
	for (const [key, raw] of entries) {
		const row = ROWS.find((candidate) => candidate.key === key);
		if (row === undefined) continue;
		const name = optionName(row);
		const fromFlag = flags.get(name);
		values.set(name, fileValue(row, raw));
		if (fromFlag !== undefined && row.kind !== "runtimes")
			conflicts.push(`${key}: (from flag: ${show(fromFlag)}, from file: ${show(raw)})`);
	}
	if (conflicts.length > 0)
		throw new InvalidParameterError(
			`the following directives are specified both as a flag and in the configuration file: ${conflicts.join(", ")}`,
		);
	return values;
}

function fileValue(row: OptionRow, raw: unknown): OptionValue {
	try {
		return readFileValue(row, raw);
	} catch (cause) {
		throw new InvalidParameterError(`${row.key}: ${errorMessage(cause)}`, { cause });
	}
}

function parseObject(text: string): object {
	// Editors on other systems write a byte order mark; an empty file is an empty configuration.
	const content = text.replace(/^\uFEFF/, "").trim();
	let parsed: unknown;
	try {
		parsed = content === "" ? {} : JSON.parse(content);
	} catch (cause) {
		throw new InvalidParameterError(`invalid JSON: ${errorMessage(cause)}`, { cause });
	}
	if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
		throw new InvalidParameterError("the configuration must be a JSON object");
	refuseRepeatedKeys(content);
	return parsed;
}

/** JSON.parse takes the last one, and whoever wrote the first wonders. @param json an object, well-formed */
function refuseRepeatedKeys(json: string): void {
	const seen = new Set<string>();
	let depth = 0;
	for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
		if (token === "{" || token === "[") depth++;
		else if (token === "}" || token === "]") depth--;
		if (colon === undefined || depth !== 1) continue;
		const key = String(JSON.parse(token.slice(0, -colon.length)));
		if (seen.has(key)) throw new InvalidParameterError(`the key "${key}" is given twice`);
		seen.add(key);
	}
}

function show(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
	return typeof value === "string" ? value : JSON.stringify(value);
}

/** Usage text from the table. */
export function usage(): string {
	const rows = ROWS.filter((row) => row.flag !== undefined);
	const left = rows.map(({ short, flag, kind }) => {
		const type = kind === "boolean" ? "" : ` ${kind === "integer" ? "int" : kind === "text" ? "string" : kind}`;
		return `  ${short === undefined ? "    " : `-${short}, `}--${flag}${type}`;
	});
	const width = Math.max(...left.map(({ length }) => length)) + 3;
	const lines = rows.map(
		(row, index) =>
			`${(left[index] ?? "").padEnd(width)}${row.help}${row.refused === undefined ? "" : ` (${row.refused})`}`,
	);
	return `Usage:  gantryd [OPTIONS]\n\nThe Gantry container engine's daemon.\n\nOptions:\n${lines.join("\n")}\n`;
}
