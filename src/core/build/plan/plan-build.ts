/** Dockerfile and options to a plan. Pure: images come in as they were looked up. */
import type { ContainerConfig } from "../../../api/engine/container.ts";
import type { Platform } from "../../../api/oci/image.ts";
import { InvalidParameterError, invariant } from "../../../base/errors.ts";
import {
	DEFAULT_PATH,
	type GlobalArguments,
	proxyEnvironment,
	StageVariables,
} from "../../dockerfile/build-arguments.ts";
import { checkInstruction } from "../../dockerfile/check-instruction.ts";
import { DockerfileError } from "../../dockerfile/dockerfile-error.ts";
import { atInstruction, expandInstruction, expandMounts, expandPorts } from "../../dockerfile/expand-instruction.ts";
import { parseHeredocWord } from "../../dockerfile/parser/heredocs.ts";
import {
	type AddInstruction,
	type CopyInstruction,
	type Dockerfile,
	heredocText,
	type RunInstruction,
	type StageInstruction,
} from "../../dockerfile/syntax.ts";
import { expandWord } from "../../dockerfile/word-expansion.ts";
import { formatPlatform } from "../../image/platform.ts";
import type {
	BaseImage,
	BuildPlan,
	FileSource,
	PlannedStage,
	PlannedStep,
	ResolvedMount,
	StepAction,
} from "./build-plan.ts";
import { createdBy } from "./history-text.ts";
import { absolutePath, applyInstruction, type StageConfig, setVariable, shellOf } from "./image-config.ts";
import type { ImageLookup, NeededStage, Needs } from "./needed-stages.ts";
import { type GraphInput, type SourceName, sourceOf } from "./stage-graph.ts";

/** Mounts that have no place of their own to go to. */
const HAS_TARGET: ReadonlySet<string> = new Set(["bind", "cache", "tmpfs"]);

/** What a stage hands on to those FROM it. */
interface PlannedState {
	readonly stage: PlannedStage;
	readonly state: StageConfig;
	readonly variables: StageVariables;
}

/** @param needs as `neededStages` gave it, all of its images known to `lookup`. @throws DockerfileError, InvalidParameterError */
export function planBuild(input: GraphInput, target: number, needs: Needs, lookup: ImageLookup): BuildPlan {
	const planned = new Map<number, PlannedState>();
	for (const [index, needed] of needs.stages)
		planned.set(index, new StagePlanner(input, needed, lookup, planned).plan());
	const stages = new Map([...planned].map(([index, { stage }]) => [index, stage]));
	return { stages, targets: [target], unusedBuildArgs: unusedBuildArgs(input.dockerfile, input.globals) };
}

class StagePlanner {
	readonly #input: GraphInput;
	readonly #needed: NeededStage;
	readonly #lookup: ImageLookup;
	readonly #planned: ReadonlyMap<number, PlannedState>;

	constructor(input: GraphInput, needed: NeededStage, lookup: ImageLookup, planned: ReadonlyMap<number, PlannedState>) {
		this.#input = input;
		this.#needed = needed;
		this.#lookup = lookup;
		this.#planned = planned;
	}

	plan(): PlannedState {
		const { stage, platform, instructions, triggers, needs, text } = this.#needed;
		const { from, config, parent } = this.#base();
		const variables = new StageVariables(config.Env ?? [], parent);
		let state: StageConfig = { config, author: "", commandSet: false };
		const steps: PlannedStep[] = [];
		for (const [position, instruction] of instructions.entries()) {
			const title = this.#title(instruction, variables);
			const next = atInstruction(instruction, this.#input.dockerfile, () => this.#step(instruction, state, variables));
			state = next.state;
			const range = position < triggers ? undefined : instruction.range;
			const { action, history } = next;
			steps.push({
				instruction: oneLine(instruction),
				title,
				range,
				action,
				config: state.config,
				author: state.author,
				createdBy: history,
				buildsFor: otherPlatform(variables, platform),
			});
		}
		const planned: PlannedStage = {
			id: stage.index,
			index: stage.index,
			name: stage.name,
			platform,
			from,
			base: text,
			fromRange: stage.from.range,
			fromText: oneLine(stage.from),
			config,
			steps,
			needs,
		};
		return { stage: planned, state, variables };
	}

	#title(instruction: StageInstruction, variables: StageVariables): string {
		const text = oneLine(instruction);
		try {
			const options = { escape: this.#input.dockerfile.escape, keepQuotes: true, keepUnset: true };
			return oneLineOf(expandWord(text, variables, options).text);
		} catch (error) {
			// What a shell reads need not be anything that this could.
			if (error instanceof DockerfileError) return text;
			throw error;
		}
	}

	#base(): { from: PlannedStage["from"]; config: ContainerConfig; parent?: StageVariables } {
		const { base, platform } = this.#needed;
		if (base.kind === "scratch") return { from: { kind: "scratch" }, config: emptyConfig() };
		if (base.kind === "context") return { from: { kind: "context", name: base.name }, config: emptyConfig() };
		if (base.kind === "stage") {
			const parent = this.#planned.get(base.index);
			invariant(parent !== undefined, "a stage is planned after the one it is FROM");
			const config = { ...parent.state.config, OnBuild: null };
			return { from: { kind: "stage", id: base.index }, config, parent: parent.variables };
		}
		const image = this.#image({ kind: "image", reference: base.reference });
		void platform;
		return { from: { kind: "image", image }, config: inheritedConfig(image) };
	}

	#image({ reference }: Extract<SourceName, { readonly kind: "image" }>): BaseImage {
		const image = this.#lookup({ reference, platform: this.#needed.platform });
		invariant(image !== undefined, `image ${reference} was looked up`);
		return image;
	}

	#step(
		original: StageInstruction,
		state: StageConfig,
		variables: StageVariables,
	): { state: StageConfig; action: StepAction; history: string } {
		const { dockerfile } = this.#input;
		if (original.kind === "arg") {
			variables.declare(original, this.#input.globals, dockerfile);
			const action = { kind: "config" } as const;
			const history = createdBy(original, { action, variables, config: state.config, ports: [] });
			return { state, action, history };
		}
		const { instruction } = expandInstruction<StageInstruction>(original, variables, dockerfile);
		checkInstruction(instruction);
		const ports = original.kind === "expose" ? expandPorts(original, variables, dockerfile).ports : [];
		const done = (action: StepAction, next = state) => ({
			state: next,
			action,
			history: createdBy(instruction, { action, variables, config: next.config, ports }),
		});
		switch (instruction.kind) {
			case "run":
				return done(this.#run(instruction, state, variables));
			case "copy":
			case "add":
				return done(this.#copy(instruction, state));
			case "workdir": {
				const next = applyInstruction(state, instruction, []);
				const path = next.config.WorkingDir ?? "/";
				return done({ kind: "directory", path, user: state.config.User ?? "" }, next);
			}
			case "env": {
				for (const { key, value } of instruction.pairs) variables.setEnvironment(key, value);
				return done({ kind: "config" }, applyInstruction(state, instruction, []));
			}
			case "arg":
				return done({ kind: "config" });
			default:
				return done({ kind: "config" }, applyInstruction(state, instruction, ports));
		}
	}

	#run(instruction: RunInstruction, { config }: StageConfig, variables: StageVariables): StepAction {
		const { dockerfile, globals } = this.#input;
		const { mounts } = expandMounts(instruction, variables, dockerfile);
		for (const { type, target } of mounts)
			if (HAS_TARGET.has(type) && absolutePath(config.WorkingDir || "/", target ?? "") === "/")
				throw new InvalidParameterError('invalid mount target "/"');
		const { args, script } = runArguments(instruction, config);
		return {
			kind: "run",
			arguments: args,
			script,
			environment: variables.environment,
			proxies: proxyEnvironment(globals.buildArgs),
			workingDirectory: config.WorkingDir || "/",
			user: config.User ?? "",
			network: instruction.network ?? "default",
			insecure: instruction.security === "insecure",
			mounts: mounts.map(
				(mount): ResolvedMount => ({
					mount,
					source: mount.type !== "bind" && mount.from === undefined ? undefined : this.#source(mount.from, instruction),
				}),
			),
		};
	}

	#copy(instruction: CopyInstruction | AddInstruction, { config }: StageConfig): StepAction {
		const isAdd = instruction.kind === "add";
		const absolute = absolutePath(config.WorkingDir || "/", instruction.destination);
		const isDirectory = /(^|\/)\.{0,2}$/.test(instruction.destination);
		return {
			kind: "copy",
			isAdd,
			source: this.#source(isAdd ? undefined : instruction.from, instruction),
			paths: instruction.sources,
			heredocs: instruction.heredocs,
			destination: isDirectory && absolute !== "/" ? `${absolute}/` : absolute,
			// Variables may have left nothing of them.
			chown: instruction.chown || undefined,
			chmod: instruction.chmod || undefined,
			link: instruction.link,
			parents: isAdd ? false : instruction.parents,
			exclude: instruction.exclude,
			unpack: isAdd ? instruction.unpack : false,
			checksum: isAdd ? instruction.checksum : undefined,
			keepGitDir: isAdd && instruction.keepGitDir === true,
		};
	}

	#source(name: string | undefined, instruction: StageInstruction): FileSource {
		if (name === undefined) return { kind: "context", name: undefined };
		const source = sourceOf(this.#input, name, instruction, this.#needed.stage.index);
		if (source.kind === "image") return { kind: "image", image: this.#image(source) };
		return source.kind === "stage" ? { kind: "stage", id: source.index } : source;
	}
}

/** Told by ARG TARGETPLATFORM, or by TARGETOS, TARGETARCH and TARGETVARIANT. */
function otherPlatform(variables: StageVariables, own: Platform): Platform | undefined {
	const whole = variables.get("TARGETPLATFORM");
	const [os = variables.get("TARGETOS"), architecture = variables.get("TARGETARCH"), variant] = whole?.split("/") ?? [];
	if (os === undefined && architecture === undefined) return undefined;
	const found = variant ?? variables.get("TARGETVARIANT") ?? "";
	const platform = {
		os: os ?? own.os,
		architecture: architecture ?? own.architecture,
		...(found === "" ? {} : { variant: found }),
	};
	return formatPlatform(platform) === formatPlatform(own) ? undefined : platform;
}

/** A heredoc that is all of the command is a script: the shell's, or that of the program its first line names. */
function runArguments(
	{ command, heredocs }: RunInstruction,
	config: ContainerConfig,
): { args: string[]; script: { name: string; text: string } | undefined } {
	if (command.form === "exec") return { args: [...command.arguments], script: undefined };
	const [first] = heredocs;
	if (first === undefined) return { args: [...shellOf(config), command.line], script: undefined };
	const text = heredocText(first);
	if (parseHeredocWord(command.line) !== undefined) {
		if (!text.startsWith("#!")) return { args: [...shellOf(config), text], script: undefined };
		return { args: [`/dev/pipes/${first.name}`], script: { name: first.name, text } };
	}
	const bodies = heredocs.map(({ content, name }) => `${content}${name}`).join("\n");
	return { args: [...shellOf(config), `${command.line}\n${bodies}`], script: undefined };
}

/** What an image without anything has. */
function emptyConfig(): ContainerConfig {
	return { Env: [`PATH=${DEFAULT_PATH}`], WorkingDir: "/" };
}

/** Triggers have fired; what a container alone has (host name and the like) is not inherited. */
function inheritedConfig({ config }: BaseImage): ContainerConfig {
	const own = (config.config ?? {}) as ContainerConfig;
	const { OnBuild, Hostname, Domainname, Image, AttachStdin, AttachStdout, AttachStderr, ...rest } = own;
	void [OnBuild, Hostname, Domainname, Image, AttachStdin, AttachStdout, AttachStderr];
	const environment = rest.Env ?? [];
	const hasPath = environment.some((line) => line.startsWith("PATH="));
	return { ...rest, Env: hasPath ? [...environment] : setVariable(environment, "PATH", DEFAULT_PATH) };
}

/** An instruction as progress and errors show it. */
export function oneLine({ text, keyword }: Pick<StageInstruction, "text" | "keyword">): string {
	return oneLineOf(`${keyword.toUpperCase()}${text.slice(keyword.length)}`);
}

function oneLineOf(text: string): string {
	return text.replace(/\s+/g, " ").trim();
}

/** Platform and proxy arguments may be given without anybody asking for them. */
function unusedBuildArgs(dockerfile: Dockerfile, globals: GlobalArguments): string[] {
	const declared = new Set<string>(globals.declared.keys());
	for (const { instructions } of dockerfile.stages)
		for (const instruction of instructions)
			if (instruction.kind === "arg") for (const { name } of instruction.args) declared.add(name);
	return [...globals.buildArgs.keys()].filter(
		(name) =>
			!declared.has(name) &&
			globals.get(name) === undefined &&
			!/^(https?|ftp|no|all)_proxy$/i.test(name) &&
			!/^(BUILDKIT_|SOURCE_DATE_EPOCH$)/.test(name),
	);
}
