/** `--change` of import and commit: the Dockerfile instructions that only alter an image's configuration. */
import type { ContainerConfig, HealthConfig } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/units.ts";
import { exposedPorts } from "../dockerfile/exposed-ports.ts";
import { expandWord, parseJsonList, splitWords, type Variables } from "./instruction-words.ts";

const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];
const NS_PER_MS = 1_000_000;

interface Change {
	/** Without the instruction's name. */
	readonly rest: string;
	/** Words of the rest, expanded. */
	readonly words: () => string[];
	readonly variables: Variables;
	/** Whether CMD came before. */
	readonly commandSet: boolean;
}

type Instruction = (config: ContainerConfig, change: Change) => ContainerConfig;

const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
	CMD: (config, { rest }) => ({ ...config, Cmd: rest === "" ? null : commandLine(config, rest) }),
	ENTRYPOINT: (config, { rest, commandSet }) => ({
		...config,
		Entrypoint: commandLine(config, rest),
		// The image's own command was meant for another entrypoint.
		...(commandSet ? {} : { Cmd: null }),
	}),
	ENV: (config, change) => ({
		...config,
		Env: [...pairs("ENV", change)].reduce(setVariable, config.Env ?? []),
	}),
	EXPOSE: (config, { words }) => ({
		...config,
		ExposedPorts: { ...config.ExposedPorts, ...keys(required("EXPOSE", words()).flatMap(exposedPorts)) },
	}),
	HEALTHCHECK: (config, { rest }) => ({ ...config, Healthcheck: healthcheck(config, rest) }),
	LABEL: (config, change) => ({
		...config,
		Labels: { ...config.Labels, ...Object.fromEntries(pairs("LABEL", change)) },
	}),
	ONBUILD: (config, { rest }) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), onBuild(rest)] }),
	STOPSIGNAL: (config, { words }) => ({ ...config, StopSignal: only("STOPSIGNAL", words()) }),
	USER: (config, { words }) => ({ ...config, User: only("USER", words()) }),
	VOLUME: (config, { rest, words }) => ({
		...config,
		Volumes: { ...config.Volumes, ...keys(required("VOLUME", parseJsonList(rest) ?? words()).map(volume)) },
	}),
	WORKDIR: (config, { rest, variables }) => ({
		...config,
		WorkingDir: workingDirectory(config.WorkingDir ?? "", expandWord(rest, variables)),
	}),
};

/** @throws InvalidParameterError for an instruction that is unknown, not allowed here, or malformed */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
	let current = config;
	let commandSet = false;
	for (const line of changes.flatMap(instructionLines)) {
		const [, keyword = "", rest = ""] = /^(\S+)(?:\s+([\s\S]*?))?\s*$/.exec(line) ?? [];
		const name = keyword.toUpperCase();
		const instruction = INSTRUCTIONS[name];
		if (instruction === undefined) throw new InvalidParameterError(`${name} is not a valid change command`);
		// An empty CMD takes the command away.
		if (rest === "" && name !== "CMD") throw new InvalidParameterError(`${name} requires at least one argument`);
		const variables = variablesOf(current.Env ?? []);
		const words = () => splitWords(rest).map((word) => expandWord(word, variables));
		current = instruction(current, { rest, words, variables, commandSet });
		commandSet ||= name === "CMD";
	}
	return current;
}

/** Lines that end in a backslash go on; comments and empty lines do not count. */
function instructionLines(change: string): string[] {
	return change
		.replace(/\\[ \t]*\n/g, "")
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !line.startsWith("#"));
}

function commandLine(config: ContainerConfig, rest: string): string[] {
	return parseJsonList(rest) ?? [...(config.Shell ?? DEFAULT_SHELL), rest];
}

function variablesOf(environment: readonly string[]): Variables {
	return new Map(
		environment.map((line) => {
			const at = line.indexOf("=");
			return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
		}),
	);
}

/** `key=value key2="value 2"`, or the old form `key the rest`. */
function pairs(name: string, { rest, variables }: Change): [string, string][] {
	const words = splitWords(rest);
	if (!(words[0] ?? "").includes("=")) {
		const [, key = "", value] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
		if (value === undefined) throw new InvalidParameterError(`${name} must have two arguments`);
		return [[expandWord(key, variables), expandWord(value, variables)]];
	}
	return words.map((word) => {
		const at = word.indexOf("=");
		if (at < 0)
			throw new InvalidParameterError(`Syntax error - can't find = in "${word}". Must be of the form: name=value`);
		if (at === 0) throw new InvalidParameterError(`${name} names can not be blank`);
		return [expandWord(word.slice(0, at), variables), expandWord(word.slice(at + 1), variables)];
	});
}

function setVariable(environment: readonly string[], [key, value]: [string, string]): string[] {
	const line = `${key}=${value}`;
	const at = environment.findIndex((other) => other === key || other.startsWith(`${key}=`));
	return at < 0 ? [...environment, line] : environment.with(at, line);
}

function keys(names: readonly string[]): Record<string, Record<string, never>> {
	return Object.fromEntries(names.map((name) => [name, {}]));
}

function volume(path: string): string {
	if (path.trim() === "") throw new InvalidParameterError("VOLUME specified can not be an empty string");
	return path.trim();
}

function required(name: string, words: readonly string[]): readonly string[] {
	if (words.length === 0) throw new InvalidParameterError(`${name} requires at least one argument`);
	return words;
}

function only(name: string, words: readonly string[]): string {
	const [word] = words;
	if (word === undefined || words.length > 1) throw new InvalidParameterError(`${name} requires exactly one argument`);
	return word;
}

function onBuild(rest: string): string {
	const trigger = (rest.split(/\s/, 1)[0] ?? "").toUpperCase();
	if (trigger === "ONBUILD") throw new InvalidParameterError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (trigger === "MAINTAINER" || trigger === "FROM")
		throw new InvalidParameterError(`${trigger} isn't allowed as an ONBUILD trigger`);
	return rest;
}

function workingDirectory(current: string, path: string): string {
	const joined = path.startsWith("/") ? path : `${current}/${path}`;
	const parts: string[] = [];
	for (const part of joined.split("/")) {
		if (part === "..") parts.pop();
		else if (part !== "" && part !== ".") parts.push(part);
	}
	return `/${parts.join("/")}`;
}

const HEALTH_FLAGS: Readonly<Record<string, keyof HealthConfig>> = {
	interval: "Interval",
	timeout: "Timeout",
	"start-period": "StartPeriod",
	"start-interval": "StartInterval",
	retries: "Retries",
};

function healthcheck(config: ContainerConfig, rest: string): HealthConfig {
	let command = rest;
	const flags: Record<string, number> = {};
	for (;;) {
		const [whole, name = "", value = ""] = /^--([a-z-]+)=(\S*)\s*/.exec(command) ?? [];
		if (whole === undefined) break;
		const field = HEALTH_FLAGS[name];
		if (field === undefined) throw new InvalidParameterError(`unknown flag: ${name}`);
		flags[field] = field === "Retries" ? retries(value) : nanoseconds(name, value);
		command = command.slice(whole.length);
	}
	const [, type = "", line = ""] = /^(\S+)\s*([\s\S]*)$/.exec(command) ?? [];
	if (type.toUpperCase() === "NONE") return { Test: ["NONE"] };
	if (type.toUpperCase() !== "CMD")
		throw new InvalidParameterError(`Unknown type "${type.toUpperCase()}" in HEALTHCHECK (try CMD)`);
	if (line === "") throw new InvalidParameterError("Missing command after HEALTHCHECK CMD");
	const list = parseJsonList(line);
	const shell = config.Shell ?? DEFAULT_SHELL;
	const test =
		list !== undefined ? ["CMD", ...list] : shell === DEFAULT_SHELL ? ["CMD-SHELL", line] : ["CMD", ...shell, line];
	return { Test: test, ...flags };
}

function retries(value: string): number {
	const count = Number(value);
	if (!/^\d+$/.test(value)) throw new InvalidParameterError(`strconv.ParseInt: parsing "${value}": invalid syntax`);
	return count;
}

function nanoseconds(name: string, value: string): number {
	const ms = parseDurationMs(value);
	if (ms < 0 || (ms > 0 && ms < 1)) throw new InvalidParameterError(`Interval "${name}" cannot be less than 1ms`);
	return ms * NS_PER_MS;
}
