import { errorMessage } from "../base/errors.ts";
import { nearest } from "../base/nearest-word.ts";
import { type OptionSpec, ParsedOptions } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** The exit code of a malformed option, as container commands have it. */
const BAD_OPTION = 125;

const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

export interface ParsedLine {
	options: ParsedOptions;
	args: string[];
	isHelp: boolean;
	/** Where in argv the first positional argument stood; argv.length when there is none. */
	firstArgument: number;
}

/**
 * Reads options the way docker's flags are read: `-it`, `-eA=b`, `-e A=b`, `--env=A=b`, `--env A=b`, `--rm=false`, `--` ends
 * options; with `isInterspersed` false the first positional argument does too.
 * @throws UsageError
 */
export function parseOptions(
	argv: readonly string[],
	specs: readonly OptionSpec[],
	isInterspersed: boolean,
): ParsedLine {
	const options = new ParsedOptions(specs);
	const args: string[] = [];
	let isHelp = false;
	let firstArgument = argv.length;
	for (let index = 0; index < argv.length; index++) {
		const word = argv[index] ?? "";
		if (word === "--") {
			firstArgument = Math.min(firstArgument, index + 1);
			args.push(...argv.slice(index + 1));
			break;
		}
		if (!word.startsWith("-") || word === "-") {
			firstArgument = Math.min(firstArgument, index);
			if (!isInterspersed) {
				args.push(...argv.slice(index));
				break;
			}
			args.push(word);
		} else if (word === "--help" || (word === "-h" && !specs.some((spec) => spec.short === "h"))) isHelp = true;
		else if (word.startsWith("--")) index += parseLong(word.slice(2), argv[index + 1], specs, options);
		else index += parseShort(word, argv[index + 1], specs, options);
	}
	return { options, args, isHelp, firstArgument };
}

/** Returns how many words after this one were its value. */
function parseLong(
	word: string,
	next: string | undefined,
	specs: readonly OptionSpec[],
	options: ParsedOptions,
): number {
	const equals = word.indexOf("=");
	const name = equals < 0 ? word : word.slice(0, equals);
	if (name === "" || name.startsWith("-")) throw new UsageError(`bad flag syntax: --${word}`, BAD_OPTION);
	const spec = specs.find((candidate) => candidate.name === name);
	if (spec === undefined) throw new UsageError(`unknown flag: --${name}${suggestOption(name, specs)}`, BAD_OPTION);
	if (equals >= 0) setOption(spec, word.slice(equals + 1), options);
	else if (spec.kind === "bool") setOption(spec, "true", options);
	else if (next === undefined) throw new UsageError(`flag needs an argument: --${name}`, BAD_OPTION);
	else {
		setOption(spec, next, options);
		return 1;
	}
	return 0;
}

function parseShort(
	word: string,
	next: string | undefined,
	specs: readonly OptionSpec[],
	options: ParsedOptions,
): number {
	for (let at = 1; at < word.length; at++) {
		const letter = word[at] ?? "";
		const spec = specs.find((candidate) => candidate.short === letter);
		if (spec === undefined)
			throw new UsageError(`unknown shorthand flag: '${letter}' in -${word.slice(at)}`, BAD_OPTION);
		const rest = word.slice(at + 1);
		if (rest.startsWith("=")) {
			setOption(spec, rest.slice(1), options);
			return 0;
		}
		if (spec.kind === "bool") {
			setOption(spec, "true", options);
			continue;
		}
		if (rest !== "") {
			setOption(spec, rest, options);
			return 0;
		}
		if (next === undefined)
			throw new UsageError(`flag needs an argument: '${letter}' in ${word.slice(0, at + 1)}`, BAD_OPTION);
		setOption(spec, next, options);
		return 1;
	}
	return 0;
}

function setOption(spec: OptionSpec, value: string, options: ParsedOptions): void {
	if (spec.kind !== "bool") {
		try {
			spec.check?.(value);
		} catch (error) {
			throw new UsageError(invalidArgument(spec, value, errorMessage(error)), BAD_OPTION);
		}
		options.add(spec.name, value);
	} else if (TRUE.has(value)) options.add(spec.name, "true");
	else if (FALSE.has(value)) options.add(spec.name, "false");
	else {
		const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
		throw new UsageError(invalidArgument(spec, value, reason), BAD_OPTION);
	}
}

/**
 * Parses the values of an option after the line was read, where the parser is loaded only when the option is used.
 * @throws UsageError when `parse` throws, as if the line had been refused
 */
export function parseValues<T>(options: ParsedOptions, name: string, parse: (value: string) => T): T[] {
	return options.list(name).map((value) => {
		try {
			return parse(value);
		} catch (error) {
			throw new UsageError(invalidArgument(options.spec(name), value, errorMessage(error)), BAD_OPTION);
		}
	});
}

function invalidArgument(spec: OptionSpec, value: string, reason: string): string {
	const flag = spec.short === undefined ? `--${spec.name}` : `-${spec.short}, --${spec.name}`;
	return `invalid argument ${JSON.stringify(value)} for "${flag}" flag: ${reason}`;
}

function suggestOption(name: string, specs: readonly OptionSpec[]): string {
	const near = nearest(
		name,
		specs.filter((spec) => spec.hidden !== true).map((spec) => spec.name),
	);
	return near === undefined ? "" : ` (did you mean --${near}?)`;
}
