/** Which stages and images a target needs. */
import type { Platform } from "../../../api/oci/image.ts";
import { errorMessage, InvalidParameterError } from "../../../base/errors.ts";
import { nearest } from "../../../base/nearest-word.ts";
import { expandFrom, type GlobalArguments } from "../../dockerfile/build-arguments.ts";
import { DockerfileError } from "../../dockerfile/dockerfile-error.ts";
import type { Dockerfile, Stage, StageInstruction } from "../../dockerfile/syntax.ts";
import { parsePlatform } from "../../image/platform.ts";
import type { NamedContext } from "../request.ts";

export interface GraphInput {
	readonly dockerfile: Dockerfile;
	readonly globals: GlobalArguments;
	readonly target: string;
	readonly targetPlatform: Platform;
	readonly namedContexts: ReadonlyMap<string, NamedContext>;
}

/** What a name stands for, before anything is looked up. */
export type SourceName =
	| { readonly kind: "stage"; readonly index: number }
	| { readonly kind: "context"; readonly name: string }
	| { readonly kind: "image"; readonly reference: string }
	| { readonly kind: "scratch" };

export interface StageBase {
	readonly stage: Stage;
	readonly base: SourceName;
	/** What FROM says, expanded. */
	readonly text: string;
	readonly platform: Platform;
}

/** The stage to build. @throws DockerfileError, InvalidParameterError when there is none of that name */
export function targetStage({ dockerfile, target }: Pick<GraphInput, "dockerfile" | "target">): number {
	const { stages, file } = dockerfile;
	if (stages.length === 0) throw new DockerfileError({ reason: "no build stage in current context", file });
	if (target === "") return stages.length - 1;
	const byName = stages.findLastIndex(({ name }) => name === target.toLowerCase());
	if (byName >= 0) return byName;
	if (/^\d+$/.test(target) && Number(target) < stages.length) return Number(target);
	const names = stages.map(({ name }) => name).filter((name) => name !== "");
	const suggestion = nearest(target.toLowerCase(), names);
	throw new InvalidParameterError(
		`target stage "${target}" could not be found${suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`}`,
	);
}

/** @throws DockerfileError for a base or a platform that is none */
export function stageBase(input: GraphInput, stage: Stage): StageBase {
	const { dockerfile, globals, targetPlatform } = input;
	const { base, platform } = expandFrom(stage.from, globals, dockerfile);
	const text = base;
	const wanted = platform === undefined ? targetPlatform : platformOf(input, stage, platform);
	if (base === "scratch") return { stage, base: { kind: "scratch" }, text, platform: wanted };
	const found = namedContext(input, base) ?? earlierStage(dockerfile, base, stage.index);
	if (found?.kind === "stage" && platform === undefined) {
		const inherited = stageBase(input, stageAt(dockerfile, found.index)).platform;
		return { stage, base: found, text, platform: inherited };
	}
	return { stage, base: found ?? { kind: "image", reference: base }, text, platform: wanted };
}

/** What `COPY --from` and mounts name. Indexes count from 0, and only earlier stages do. @throws DockerfileError */
export function sourceOf(input: GraphInput, name: string, instruction: StageInstruction, stage: number): SourceName {
	const { dockerfile } = input;
	if (name === "scratch") return { kind: "scratch" };
	const context = namedContext(input, name);
	if (context !== undefined) return context;
	if (/^\d+$/.test(name)) {
		if (Number(name) < stage) return { kind: "stage", index: Number(name) };
		throw new DockerfileError({
			reason:
				Number(name) === stage
					? "a stage cannot copy from itself"
					: `invalid from flag value ${name}: there is no earlier stage of that index`,
			file: dockerfile.file,
			source: dockerfile.source,
			ranges: [instruction.range],
		});
	}
	const found = earlierStage(dockerfile, name, stage);
	if (found !== undefined) return found;
	const later = dockerfile.stages.findIndex((other) => other.name === name.toLowerCase());
	if (later >= stage)
		throw new DockerfileError({
			reason:
				later === stage
					? `circular dependency detected on stage: ${name}`
					: `stage ${name} comes after the one that copies from it`,
			file: dockerfile.file,
			source: dockerfile.source,
			ranges: [instruction.range],
		});
	return { kind: "image", reference: name };
}

/** Names in `--from` of an instruction. */
export function fromNames(instruction: StageInstruction): string[] {
	if (instruction.kind === "copy") return instruction.from === undefined ? [] : [instruction.from];
	if (instruction.kind !== "run") return [];
	return instruction.mounts.flatMap(({ from }) => (from === undefined ? [] : [from]));
}

const LAYOUT_SCHEME = "oci-layout://";

/** What stands in a plan for the image of a named OCI layout. */
function layoutReference(name: string): string {
	return `${LAYOUT_SCHEME}${name}`;
}

/** The named context that a reference stands for; undefined for an image's own. */
export function layoutName(reference: string): string | undefined {
	return reference.startsWith(LAYOUT_SCHEME) ? reference.slice(LAYOUT_SCHEME.length) : undefined;
}

function namedContext({ namedContexts }: GraphInput, name: string): SourceName | undefined {
	const context = namedContexts.get(name) ?? namedContexts.get(name.toLowerCase());
	if (context === undefined) return undefined;
	if (context.kind === "layout") return { kind: "image", reference: layoutReference(name) };
	return context.kind === "image" ? { kind: "image", reference: context.reference } : { kind: "context", name };
}

function earlierStage(dockerfile: Dockerfile, name: string, before: number): SourceName | undefined {
	const index = dockerfile.stages.slice(0, before).findLastIndex((stage) => stage.name === name.toLowerCase());
	return index < 0 ? undefined : { kind: "stage", index };
}

export function stageAt(dockerfile: Dockerfile, index: number): Stage {
	const stage = dockerfile.stages[index];
	if (stage === undefined) throw new InvalidParameterError(`there is no stage ${index}`);
	return stage;
}

function platformOf({ dockerfile }: GraphInput, { from }: Stage, text: string): Platform {
	try {
		return parsePlatform(text);
	} catch (cause) {
		const { file, source } = dockerfile;
		throw new DockerfileError({
			reason: `failed to parse platform ${text}: ${errorMessage(cause)}`,
			file,
			source,
			ranges: [from.range],
			cause,
		});
	}
}
