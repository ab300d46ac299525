import type { Platform } from "../../../api/oci/image.ts";
import { parseTrigger } from "../../dockerfile/parse-dockerfile.ts";
import type { FromInstruction, StageInstruction } from "../../dockerfile/syntax.ts";
import type { BaseImage } from "./build-plan.ts";
import { fromNames, type GraphInput, type StageBase, sourceOf, stageAt, stageBase } from "./stage-graph.ts";

export interface ImageNeed {
	readonly reference: string;
	readonly platform: Platform;
}

/** Images that were looked up. Undefined: not yet. */
export type ImageLookup = (need: ImageNeed) => BaseImage | undefined;

export interface NeededStage extends StageBase {
	/** Triggers of the base image, then the stage's own. */
	readonly instructions: readonly StageInstruction[];
	readonly triggers: number;
	readonly needs: ReadonlySet<number>;
}

export interface NeededImage extends ImageNeed {
	/** The first instruction that names it; undefined for a trigger of another image. */
	readonly instruction: FromInstruction | StageInstruction | undefined;
}

export interface Needs {
	/** By index, those that the target needs. */
	readonly stages: ReadonlyMap<number, NeededStage>;
	readonly images: readonly NeededImage[];
}

/**
 * Everything between the target and its images. Triggers of images that are not known yet may add to it: to be called again when all
 * of `images` were looked up.
 * @throws DockerfileError
 */
export function neededStages(input: GraphInput, target: number, lookup: ImageLookup): Needs {
	const stages = new Map<number, NeededStage>();
	const images = new Map<string, NeededImage>();
	const pending = [target];
	for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
		if (stages.has(index)) continue;
		const stage = neededStage(input, index, lookup, (need) => {
			const key = `${need.reference} ${JSON.stringify(need.platform)}`;
			images.set(key, images.get(key) ?? need);
		});
		stages.set(index, stage);
		pending.push(...stage.needs);
	}
	return { stages: new Map([...stages].sort(([a], [b]) => a - b)), images: [...images.values()] };
}

function neededStage(
	input: GraphInput,
	index: number,
	lookup: ImageLookup,
	note: (need: NeededImage) => void,
): NeededStage {
	const found = stageBase(input, stageAt(input.dockerfile, index));
	const { stage, base, platform } = found;
	const needs = new Set<number>();
	let triggers: StageInstruction[] = [];
	if (base.kind === "stage") {
		needs.add(base.index);
		triggers = stageTriggers(input, base.index);
	}
	if (base.kind === "image") {
		const need = { reference: base.reference, platform };
		note({ ...need, instruction: stage.from });
		const triggerTexts = lookup(need)?.config.config?.["OnBuild"];
		triggers = Array.isArray(triggerTexts) ? triggerTexts.map((text) => parseTrigger(String(text))) : [];
	}
	const instructions = [...triggers, ...stage.instructions];
	for (const [position, instruction] of instructions.entries())
		for (const name of fromNames(instruction)) {
			const source = sourceOf(input, name, instruction, index);
			if (source.kind === "stage") needs.add(source.index);
			if (source.kind === "image")
				note({
					reference: source.reference,
					platform,
					instruction: position < triggers.length ? undefined : instruction,
				});
		}
	return { ...found, instructions, triggers: triggers.length, needs };
}

/** ONBUILD in a stage fires in the stages that are FROM it, as it does for an image. */
function stageTriggers(input: GraphInput, index: number): StageInstruction[] {
	return stageAt(input.dockerfile, index).instructions.flatMap((instruction) =>
		instruction.kind === "onbuild" ? [parseTrigger(instruction.expression)] : [],
	);
}
