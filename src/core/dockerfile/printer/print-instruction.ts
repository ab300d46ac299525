/** One instruction on as few lines as it takes, from its fields alone. */
import { assertNever } from "../../../base/errors.ts";
import { isSpace } from "../characters.ts";
import { parseJsonList } from "../parser/instruction-words.ts";
import { beforeContinuation } from "../parser/logical-line.ts";
import type {
	AddInstruction,
	CommandLine,
	CopyInstruction,
	EscapeCharacter,
	HealthcheckInstruction,
	Heredoc,
	Instruction,
	KeyValue,
	RunInstruction,
} from "../syntax.ts";

/** Longer lists of pairs get a line for each. */
const LINE_LENGTH = 100;
const INDENT = "    ";
/** White space between words that JSON does not know. */
const FORM_FEED = "\f";
const SEPARATOR = /[\t\v\f\r ]/;
const DURATION_UNITS = [
	["h", 3_600_000_000_000],
	["m", 60_000_000_000],
	["s", 1_000_000_000],
	["ms", 1_000_000],
	["us", 1_000],
	["ns", 1],
] as const;

/** Without a line end. The keyword is in capitals. */
export function printInstruction(instruction: Instruction, escapeCharacter: EscapeCharacter): string {
	const flags = flagsOf(instruction).map(([name, value]) => printFlag(name, value, escapeCharacter));
	const rest = restOf(instruction, escapeCharacter);
	const isOption = rest.startsWith("--") && instruction.kind !== "onbuild";
	const words = [instruction.kind.toUpperCase(), ...flags, ...(isOption ? ["--"] : []), ...(rest === "" ? [] : [rest])];
	const line = words.join(" ");
	// An escape character at its end is meant: white space that is no blank keeps it from going on in the next line.
	const end = beforeContinuation(line, escapeCharacter) === undefined ? "" : FORM_FEED;
	return line + end + heredocLines(instruction);
}

/** The lines behind an instruction that its heredocs are made of. */
export function heredocLines(instruction: Instruction): string {
	if (instruction.kind !== "run" && instruction.kind !== "copy" && instruction.kind !== "add") return "";
	return instruction.heredocs.map(({ content, name }) => `\n${content}${name}`).join("");
}

type Flag = readonly [name: string, value: string | true];

function flagsOf(instruction: Instruction): Flag[] {
	switch (instruction.kind) {
		case "from":
			return texts({ platform: instruction.platform });
		case "run":
			return runFlags(instruction);
		case "copy":
		case "add":
			return fileFlags(instruction);
		case "healthcheck":
			return healthcheckFlags(instruction);
		default:
			return [];
	}
}

function runFlags({ mounts, network, security }: RunInstruction): Flag[] {
	return [...mounts.map(({ text }): Flag => ["mount", text]), ...texts({ network, security })];
}

function fileFlags(instruction: CopyInstruction | AddInstruction): Flag[] {
	const { chown, chmod, link, exclude } = instruction;
	const booleans: readonly (readonly [string, boolean | undefined])[] =
		instruction.kind === "copy"
			? [["parents", instruction.parents || undefined]]
			: [
					["keep-git-dir", instruction.keepGitDir],
					["unpack", instruction.unpack],
				];
	return [
		...texts(instruction.kind === "copy" ? { from: instruction.from } : { checksum: instruction.checksum }),
		...texts({ chown, chmod }),
		...[...booleans, ["link", link || undefined] as const].flatMap(([name, value]): Flag[] =>
			value === undefined ? [] : [[name, value || "false"]],
		),
		...exclude.map((pattern): Flag => ["exclude", pattern]),
	];
}

function healthcheckFlags(instruction: HealthcheckInstruction): Flag[] {
	const { intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = instruction;
	return texts({
		interval: duration(intervalNs),
		timeout: duration(timeoutNs),
		"start-period": duration(startPeriodNs),
		"start-interval": duration(startIntervalNs),
		retries: retries === 0 ? undefined : String(retries),
	});
}

function texts(flags: Readonly<Record<string, string | undefined>>): Flag[] {
	return Object.entries(flags).flatMap(([name, value]): Flag[] => (value === undefined ? [] : [[name, value]]));
}

function duration(ns: number): string | undefined {
	const [unit, size] = DURATION_UNITS.find(([, size]) => ns % size === 0) ?? ["ns", 1];
	return ns === 0 ? undefined : `${ns / size}${unit}`;
}

function printFlag(name: string, value: string | true, escapeCharacter: EscapeCharacter): string {
	if (value === true) return `--${name}`;
	const isPlain = ![...value].some((character) => isSpace(character) || `"'${escapeCharacter}`.includes(character));
	const quoted = value.replaceAll(/["\\`]/g, (character) =>
		character === '"' || character === escapeCharacter ? escapeCharacter + character : character,
	);
	return `--${name}=${isPlain ? value : `"${quoted}"`}`;
}

function restOf(instruction: Instruction, escapeCharacter: EscapeCharacter): string {
	switch (instruction.kind) {
		case "from":
			return [instruction.base, ...(instruction.as === undefined ? [] : ["AS", instruction.as.name])].join(" ");
		case "run":
		case "cmd":
		case "entrypoint":
			return printCommand(instruction.command);
		case "healthcheck":
			return instruction.command === undefined ? "NONE" : `CMD ${printCommand(instruction.command)}`;
		case "shell":
			return jsonList(instruction.shell);
		case "env":
		case "label": {
			const [first] = instruction.pairs;
			if (instruction.legacy && first !== undefined) return `${first.key} ${first.value}`;
			return printPairs(instruction.pairs, escapeCharacter);
		}
		case "arg":
			return instruction.args
				.map(({ name, defaultValue }) => (defaultValue === undefined ? name : `${name}=${defaultValue}`))
				.join(" ");
		case "copy":
		case "add":
			return printFiles(instruction);
		case "expose":
			return instruction.ports.join(" ");
		case "volume":
			return instruction.json ? jsonList(instruction.paths) : plainList(instruction.paths);
		case "user":
			return instruction.user;
		case "workdir":
			return instruction.path;
		case "stopsignal":
			return instruction.signal;
		case "maintainer":
			return instruction.name;
		case "onbuild":
			return instruction.expression;
		default:
			return assertNever(instruction);
	}
}

function printFiles({ sources, heredocs, destination, json }: CopyInstruction | AddInstruction): string {
	// Heredocs first: a quote in a path may reach over the words behind it.
	const words = [...heredocs.map(heredocWord), ...sources, destination];
	return json || words.some((word) => word === "" || SEPARATOR.test(word)) ? jsonList(words) : plainList(words);
}

function heredocWord({ name, fileDescriptor, expand, stripTabs }: Heredoc): string {
	const descriptor = fileDescriptor === 0 ? "" : String(fileDescriptor);
	return `${descriptor}<<${stripTabs ? "-" : ""}${expand ? name : `"${name}"`}`;
}

function printCommand(command: CommandLine): string {
	return command.form === "exec" ? jsonList(command.arguments) : command.line;
}

function printPairs(pairs: readonly KeyValue[], escapeCharacter: EscapeCharacter): string {
	const words = pairs.map(({ key, value }) => `${key}=${value}`);
	const line = words.join(" ");
	const fits = line.length <= LINE_LENGTH || words.some((word) => word.startsWith("#"));
	return fits ? line : words.join(` ${escapeCharacter}\n${INDENT}`);
}

/** Words that together would be JSON, and are not. */
function plainList(words: readonly string[]): string {
	const line = words.join(" ");
	return parseJsonList(line) === undefined ? line : words.join(FORM_FEED);
}

function jsonList(texts: readonly string[]): string {
	return `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
}
