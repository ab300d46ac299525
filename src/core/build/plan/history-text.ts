/** How a step is written in the image's history: as BuildKit does, for people and for tools that read it back. */
import type { ContainerConfig, HealthConfig } from "../../../api/engine/container.ts";
import type { StageVariables } from "../../dockerfile/build-arguments.ts";
import { exposedPorts } from "../../dockerfile/exposed-ports.ts";
import type { AddInstruction, ArgInstruction, CopyInstruction, StageInstruction } from "../../dockerfile/syntax.ts";
import type { StepAction } from "./build-plan.ts";

const SUFFIX = "# buildkit";
const DURATION_UNITS = [
	["h", 3_600_000_000_000],
	["m", 60_000_000_000],
	["s", 1_000_000_000],
] as const;
const NS_PER_MS = 1_000_000;
const NAMED_CHARACTERS: ReadonlyMap<number, string> = new Map([
	[7, "a"],
	[8, "b"],
	[9, "t"],
	[10, "n"],
	[11, "v"],
	[12, "f"],
	[13, "r"],
	[39, "'"],
	[92, "\\"],
]);

export const HISTORY_COMMENT = "buildkit.dockerfile.v0";

export interface HistoryStep {
	readonly action: StepAction;
	/** As they are after the step. */
	readonly variables: StageVariables;
	/** As it is after the step. */
	readonly config: ContainerConfig;
	/** Words of EXPOSE. */
	readonly ports: readonly string[];
}

/**
 * Empty for ONBUILD, which has no line there.
 * @param instruction with its variables put in where it takes some
 */
export function createdBy(instruction: StageInstruction, step: HistoryStep): string {
	const { action, variables } = step;
	if (action.kind === "run") return `RUN ${argumentText(variables)}${action.arguments.join(" ")} ${SUFFIX}`;
	if (instruction.kind === "copy" || instruction.kind === "add") return `${copyText(instruction)} ${SUFFIX}`;
	return configText(instruction, step);
}

/** `|2 A=1 B=2 `: what the command saw of the arguments; one that nothing gave a value is empty. */
function argumentText(variables: StageVariables): string {
	const values = new Map(variables.args.map(({ name, value }) => [name, variables.get(name) ?? value ?? ""]));
	if (values.size === 0) return "";
	return `|${values.size} ${[...values].map(([name, value]) => `${name}=${value}`).join(" ")} `;
}

function copyText(instruction: CopyInstruction | AddInstruction): string {
	const { kind, chown, chmod, sources, heredocs, destination } = instruction;
	return [
		kind.toUpperCase(),
		...(kind === "copy" && instruction.parents ? ["--parents"] : []),
		...((chown ?? "") === "" ? [] : [`--chown=${chown}`]),
		...((chmod ?? "") === "" ? [] : [`--chmod=${chmod}`]),
		...sources,
		...heredocs.map(({ name }) => `<<${name}`),
		destination,
	].join(" ");
}

function configText(instruction: StageInstruction, { config, ports, variables }: HistoryStep): string {
	switch (instruction.kind) {
		case "env":
		case "label":
			return `${instruction.kind.toUpperCase()} ${instruction.pairs.map(({ key, value }) => `${key}=${value}`).join(" ")}`;
		case "workdir":
			return `WORKDIR ${instruction.path.startsWith("/") ? instruction.path : config.WorkingDir}`;
		case "user":
			return `USER ${instruction.user}`;
		case "stopsignal":
			return `STOPSIGNAL ${instruction.signal}`;
		case "maintainer":
			return `MAINTAINER ${instruction.name}`;
		case "expose":
			return `EXPOSE [${ports.flatMap(exposedPorts).join(" ")}]`;
		case "volume":
			return `VOLUME [${instruction.paths.join(" ")}]`;
		case "shell":
			return `SHELL [${instruction.shell.join(" ")}]`;
		case "cmd":
			return `CMD ${quotedList(config.Cmd)}`;
		case "entrypoint":
			return `ENTRYPOINT ${quotedList(config.Entrypoint)}`;
		case "healthcheck":
			return `HEALTHCHECK ${healthText(config.Healthcheck)}`;
		case "arg":
			return argText(instruction, variables);
		case "onbuild":
			return "";
		default:
			return instruction.text.replace(/^\S+/, (keyword) => keyword.toUpperCase());
	}
}

function argText({ args }: ArgInstruction, variables: StageVariables): string {
	const declared = variables.args.slice(-args.length);
	return `ARG ${declared.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join(" ")}`;
}

function quotedList(words: readonly string[] | null | undefined): string {
	return `[${(words ?? []).map((word) => JSON.stringify(word)).join(" ")}]`;
}

/** As Go prints the struct with %q, where the number of retries becomes a character. */
function healthText(health: HealthConfig = {}): string {
	const { Test = [], Interval = 0, Timeout = 0, StartPeriod = 0, StartInterval = 0, Retries = 0 } = health;
	const durations = [Interval, Timeout, StartPeriod, StartInterval].map((ns) => `"${goDuration(ns)}"`);
	return `&{${quotedList(Test)} ${durations.join(" ")} ${quotedCharacter(Retries)}}`;
}

/** `'\x04'`, `'\n'`, `'A'`. */
function quotedCharacter(code: number): string {
	const named = NAMED_CHARACTERS.get(code);
	if (named !== undefined) return `'\\${named}'`;
	if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, "0")}'`;
	if (code > 0x7f) return code > 0xffff ? "'\ufffd'" : `'\\u${code.toString(16).padStart(4, "0")}'`;
	return `'${String.fromCharCode(code)}'`;
}

/** `1m30s`, `500ms`, `0s`. */
function goDuration(ns: number): string {
	if (ns > 0 && ns < 1000 * NS_PER_MS) return `${ns / NS_PER_MS}ms`;
	let rest = ns;
	let text = "";
	for (const [unit, size] of DURATION_UNITS) {
		const count = unit === "s" ? rest / size : Math.floor(rest / size);
		if (text !== "" || count > 0 || unit === "s") text += `${count}${unit}`;
		rest -= count * size;
	}
	return text;
}
