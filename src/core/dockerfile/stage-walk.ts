/**
 * Goes through stages as a build would, without building: variables are put in, triggers of earlier stages fire. The linter and the
 * outline look on.
 */
import { errorMessage } from "../../base/errors.ts";
import { nearest } from "../../base/nearest-word.ts";
import { parsePlatform } from "../image/platform.ts";
import {
	checkFrom,
	DEFAULT_PATH,
	type DeclaredArg,
	type ExpandedFrom,
	type GlobalArguments,
	readFrom,
	StageVariables,
} from "./build-arguments.ts";
import { checkInstruction } from "./check-instruction.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { atInstruction, expandInstruction, expandMounts, expandPorts } from "./expand-instruction.ts";
import { exposedPorts } from "./exposed-ports.ts";
import { parseTrigger } from "./parse-dockerfile.ts";
import type { Dockerfile, Mount, Stage, StageInstruction } from "./syntax.ts";

/** What a base image's configuration brings along. */
export interface BaseImageFacts {
	/** `KEY=value`. */
	readonly environment: readonly string[];
	/** ONBUILD triggers. */
	readonly triggers: readonly string[];
	readonly shell: readonly string[] | undefined;
}

export interface StageWalkInput {
	readonly dockerfile: Dockerfile;
	readonly globals: GlobalArguments;
	/** Undefined when nothing is known about it. */
	readonly baseImage: (reference: string) => BaseImageFacts | undefined;
	/** Only what this stage needs; "" is the last one, undefined every stage. */
	readonly target: string | undefined;
}

/** A stage as far as the walk is. */
export interface WalkedStage {
	readonly stage: Stage;
	readonly from: ExpandedFrom;
	/** The stage that it is FROM. */
	readonly parent: WalkedStage | undefined;
	readonly variables: StageVariables;
	/** Of the image's configuration. */
	readonly environment: Map<string, string>;
	shell: readonly string[] | undefined;
	/** WORKDIR occurred here or in the parent. */
	workdirSet: boolean;
}

export interface WalkedStep {
	readonly walked: WalkedStage;
	readonly instruction: StageInstruction;
	/** With its variables put in. */
	readonly expanded: StageInstruction;
	/** Variables that were read though nothing sets or declares them. */
	readonly unmatched: readonly string[];
	/** Of an ARG. */
	readonly args: readonly DeclaredArg[];
	/** Of a RUN. */
	readonly mounts: readonly Mount[];
	/** Of an EXPOSE. */
	readonly ports: readonly string[];
}

export interface StageVisitor {
	/** Every stage, before any instruction. */
	from?(stage: Stage, from: ExpandedFrom): void;
	step?(step: WalkedStep): void;
}

/** The stage that a target names, or numbers, as the classic builder had it. @throws DockerfileError when there is none */
export function findTarget({ stages, file }: Pick<Dockerfile, "stages" | "file">, target: string): Stage {
	const byName = target === "" ? stages.at(-1) : stages.findLast(({ name }) => name === target.toLowerCase());
	const stage = byName ?? (/^\d+$/.test(target) ? stages[Number(target)] : undefined);
	if (stage !== undefined) return stage;
	if (stages.length === 0) throw new DockerfileError({ reason: "there is no stage to build", file });
	const suggestion = nearest(
		target.toLowerCase(),
		stages.map(({ name }) => name).filter((name) => name !== ""),
	);
	throw new DockerfileError({ reason: `target stage "${target}" could not be found`, file, suggestion });
}

/** @returns the stages that were gone through, by index. @throws DockerfileError for the first thing that a build would fail at */
export function walkStages(input: StageWalkInput, visitor: StageVisitor): Map<number, WalkedStage> {
	const { dockerfile, globals } = input;
	const froms = dockerfile.stages.map((stage) => {
		const from = readFrom(stage.from, globals, dockerfile);
		visitor.from?.(stage, from);
		checkFrom(stage.from, from, globals, dockerfile);
		checkPlatform(stage, from, input);
		return from;
	});
	const needed = input.target === undefined ? undefined : neededStages(dockerfile, froms, input.target);
	const walked = new Map<number, WalkedStage>();
	for (const stage of dockerfile.stages) {
		const from = froms[stage.index];
		if (from === undefined || needed?.has(stage.index) === false) continue;
		const parent = parentStage(dockerfile, stage.index, from.base);
		walked.set(stage.index, walkStage(input, stage, from, parent && walked.get(parent.index), visitor));
	}
	return walked;
}

/** The stage itself, those it is FROM, and those it copies or mounts from, to any depth. */
export function neededStages(dockerfile: Dockerfile, froms: readonly ExpandedFrom[], target: string): Set<number> {
	const needed = new Set<number>();
	const add = (stage: Stage | undefined) => {
		if (stage === undefined || needed.has(stage.index)) return;
		needed.add(stage.index);
		add(parentStage(dockerfile, stage.index, froms[stage.index]?.base ?? ""));
		for (const source of sourceStages(dockerfile, stage)) add(source);
	};
	add(findTarget(dockerfile, target));
	return needed;
}

/** The last stage of that name before another. Names in FROM are told apart by case, as the names of images are. */
export function parentStage({ stages }: Pick<Dockerfile, "stages">, index: number, base: string): Stage | undefined {
	return base === "" ? undefined : stages.slice(0, index).findLast(({ name }) => name === base);
}

/** Stages that COPY and mounts of a stage take files from. */
export function sourceStages({ stages }: Pick<Dockerfile, "stages">, stage: Stage): Stage[] {
	const byName = (name: string) => stages.findLast((other) => other.name !== "" && other.name === name.toLowerCase());
	return stage.instructions
		.flatMap((instruction) => {
			if (instruction.kind === "run") return instruction.mounts.map(({ from }) => byName(from ?? ""));
			if (instruction.kind !== "copy" || instruction.from === undefined) return [];
			return [/^\d+$/.test(instruction.from) ? stages[Number(instruction.from)] : byName(instruction.from)];
		})
		.filter((source) => source !== undefined);
}

/** @throws DockerfileError for a platform that is none */
function checkPlatform({ from }: Stage, { platform, unmatched }: ExpandedFrom, input: StageWalkInput): void {
	if (platform === undefined) return;
	const { file, source } = input.dockerfile;
	try {
		parsePlatform(platform);
	} catch (cause) {
		const [name] = unmatched;
		const suggestion = name === undefined ? undefined : nearest(name, input.globals.names());
		const reason = `failed to parse platform ${from.platform}: ${errorMessage(cause)}`;
		throw new DockerfileError({ reason, suggestion, file, source, ranges: [from.range], cause });
	}
}

function walkStage(
	input: StageWalkInput,
	stage: Stage,
	from: ExpandedFrom,
	parent: WalkedStage | undefined,
	visitor: StageVisitor,
): WalkedStage {
	const facts = parent === undefined && from.base !== "scratch" ? input.baseImage(from.base) : undefined;
	const environment = new Map(parent?.environment ?? entries(facts?.environment ?? []));
	if (!environment.has("PATH")) environment.set("PATH", DEFAULT_PATH);
	const lines = [...environment].map(([key, value]) => `${key}=${value}`);
	const walked: WalkedStage = {
		stage,
		from,
		parent,
		variables: new StageVariables(lines, parent?.variables),
		environment,
		shell: parent?.shell ?? facts?.shell,
		workdirSet: parent?.workdirSet ?? false,
	};
	const triggers = [...(facts?.triggers ?? []), ...(parent === undefined ? [] : triggersOf(parent.stage))];
	const fired = triggers.map((expression) => fire(expression, stage, input.dockerfile));
	for (const instruction of [...fired, ...stage.instructions]) {
		visitor.step?.(walkInstruction(input, walked, instruction));
		if (instruction.kind === "workdir") walked.workdirSet = true;
		if (instruction.kind === "shell") walked.shell = instruction.shell;
	}
	return walked;
}

function walkInstruction(input: StageWalkInput, walked: WalkedStage, instruction: StageInstruction): WalkedStep {
	const { dockerfile, globals } = input;
	const { variables } = walked;
	const step = { walked, instruction, expanded: instruction, args: [], mounts: [], ports: [] };
	const unmatched = (names: Iterable<string>) => variables.undeclared(names);
	if (instruction.kind === "arg") {
		const declared = variables.declare(instruction, globals, dockerfile);
		return { ...step, args: declared.args, unmatched: [...declared.unmatched] };
	}
	if (instruction.kind === "run") {
		const run = expandMounts(instruction, variables, dockerfile);
		return { ...step, mounts: run.mounts, unmatched: unmatched(run.unmatched) };
	}
	// What EXPOSE names is not checked for being set.
	if (instruction.kind === "expose") {
		const { ports } = expandPorts(instruction, variables, dockerfile);
		atInstruction(instruction, dockerfile, () => ports.flatMap(exposedPorts));
		return { ...step, ports, unmatched: [] };
	}
	const result = expandInstruction(instruction, variables, dockerfile);
	atInstruction(instruction, dockerfile, () => checkInstruction(result.instruction));
	const missing = unmatched(result.unmatched);
	if (result.instruction.kind === "env")
		for (const { key, value } of result.instruction.pairs) {
			atInstruction(instruction, dockerfile, () => variables.setEnvironment(key, value));
			walked.environment.set(key, value);
		}
	return { ...step, expanded: result.instruction, unmatched: missing };
}

function triggersOf({ instructions }: Stage): string[] {
	return instructions.flatMap((instruction) => (instruction.kind === "onbuild" ? [instruction.expression] : []));
}

/** A trigger stands where its FROM does. */
function fire(expression: string, { from }: Stage, { file, source }: Dockerfile): StageInstruction {
	try {
		return { ...parseTrigger(expression), range: from.range };
	} catch (error) {
		if (!(error instanceof DockerfileError)) throw error;
		const reason = `trigger of the base, ONBUILD ${expression}: ${error.reason}`;
		const { suggestion } = error;
		throw new DockerfileError({ reason, suggestion, file, source, ranges: [from.range], cause: error });
	}
}

function entries(environment: readonly string[]): [string, string][] {
	return environment.map((line) => {
		const at = line.indexOf("=");
		return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
	});
}
