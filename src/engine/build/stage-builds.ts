import type { ImageConfig } from "../../api/oci/image.ts";
import { type Digest, sha256 } from "../../base/digest.ts";
import { EngineError, errorKind, errorMessage, invariant } from "../../base/errors.ts";
import { settleAll } from "../../base/settle-all.ts";
import { type FinishedStep, imageDocument } from "../../core/build/image-document.ts";
import type { BuildPlan, PlannedStage, PlannedStep } from "../../core/build/plan/build-plan.ts";
import { BuildStepError } from "../../core/build/step-error.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";
import type { BuildScope, StepListener } from "./build-scope.ts";
import type { StepSolver } from "./step-solver.ts";

/** A stage as far as it got. */
export interface StageOutcome {
	readonly stage: PlannedStage;
	readonly chain: Digest | undefined;
	/** The image everything stands on, and its topmost layer. */
	readonly base: ImageConfig | undefined;
	readonly baseChain: Digest | undefined;
	/** Steps of this stage and of those it is FROM. */
	readonly steps: readonly FinishedStep[];
	/** Record of the last step. */
	readonly record: string | undefined;
}

export interface StepEnd {
	readonly isCached: boolean;
	/** The image's ID as it is after the step. */
	readonly imageId: () => Digest;
}

/** Hears what happens. All of it happens in order within a stage; stages run side by side unless the caller goes one by one. */
export interface BuildNarrator {
	stageStarted?(stage: PlannedStage, imageId: Digest | undefined): void;
	stepStarted(
		stage: PlannedStage,
		step: PlannedStep,
		position: number,
	): StepListener & {
		ended?(end: StepEnd): void;
		failed?(error: unknown): void;
	};
}

export interface StageBuildsDependencies {
	readonly solver: StepSolver;
	readonly layers: LayerRegistry;
}

/** The stages of one build, each built once, when somebody first wants it. They go by their IDs in the plan. */
export class StageBuilds {
	readonly #deps: StageBuildsDependencies;
	readonly #plan: BuildPlan;
	readonly #narrator: BuildNarrator;
	readonly #signal: AbortSignal;
	/** The first failure ends everything else. */
	readonly #failure = new AbortController();
	readonly #running = new Map<number, Promise<StageOutcome>>();
	/** Stages for several platforms have steps in common, which are done once. */
	readonly #steps = new Map<PlannedStep, Promise<StageOutcome>>();
	#scope: BuildScope | undefined;

	constructor(deps: StageBuildsDependencies, plan: BuildPlan, narrator: BuildNarrator, signal: AbortSignal) {
		this.#deps = deps;
		this.#plan = plan;
		this.#narrator = narrator;
		this.#signal = AbortSignal.any([signal, this.#failure.signal]);
	}

	/** Once, before the first stage. */
	begin(scope: BuildScope): void {
		this.#scope = scope;
	}

	/** @throws BuildStepError, CancelledError */
	stage(id: number): Promise<StageOutcome> {
		const running = this.#running.get(id) ?? this.#build(id);
		this.#running.set(id, running);
		// Whoever waits hears of it; a stage that nobody waits for yet must not bring the process down.
		running.catch(() => undefined);
		return running;
	}

	/** All stages side by side. When one fails, the others are stopped. @returns the targets, in the plan's order */
	async all(): Promise<StageOutcome[]> {
		const stages = [...this.#plan.stages.keys()].map((id) => this.stage(id));
		await settleAll(stages, this.#failure);
		return await Promise.all(this.#plan.targets.map((target) => this.stage(target)));
	}

	document(outcome: StageOutcome, labels: ReadonlyMap<string, string> = new Map()): ImageConfig {
		const diffIds = this.#deps.layers
			.stack(outcome.chain)
			.map(({ diffId }) => diffId)
			.reverse();
		return imageDocument({
			platform: outcome.stage.platform,
			base: outcome.base,
			steps: outcome.steps,
			config: outcome.stage.config as Record<string, unknown>,
			labels,
			diffIds,
			sourceDateEpoch: this.#scope?.request.sourceDateEpoch,
		});
	}

	imageId(outcome: StageOutcome): Digest {
		return sha256(JSON.stringify(this.document(outcome)));
	}

	async #build(id: number): Promise<StageOutcome> {
		const stage = this.#plan.stages.get(id);
		invariant(stage !== undefined, `stage ${id} is part of the plan`);
		let outcome = await this.#start(stage);
		this.#narrator.stageStarted?.(stage, outcome.steps.length === 0 ? baseId(stage) : this.imageId(outcome));
		for (const [position, step] of stage.steps.entries()) {
			const running = this.#steps.get(step) ?? this.#step(outcome, step, position);
			this.#steps.set(step, running);
			outcome = { ...(await running), stage };
		}
		return outcome;
	}

	async #start(stage: PlannedStage): Promise<StageOutcome> {
		const nothing = { stage, chain: undefined, base: undefined, baseChain: undefined, steps: [], record: undefined };
		switch (stage.from.kind) {
			case "scratch":
				return nothing;
			case "image": {
				const { config, chainId } = stage.from.image;
				return { ...nothing, chain: chainId, base: config, baseChain: chainId };
			}
			case "stage":
				return { ...(await this.stage(stage.from.id)), stage };
			case "context":
				return await this.#fromContext(nothing, contextStep(stage, stage.from.name));
		}
	}

	/** Its files are the first layer; what is told of it belongs to FROM. */
	async #fromContext(outcome: StageOutcome, step: PlannedStep): Promise<StageOutcome> {
		const scope = this.#scope;
		invariant(scope !== undefined, "a build has begun");
		const imageId = () => this.imageId(outcome);
		const place = { stage: outcome.stage, chain: undefined, imageId, record: undefined };
		const { result, record } = await this.#deps.solver.solve(step, place, scope, {}, this.#signal);
		return { ...outcome, chain: result.chainId, steps: [{ step, result, record }], record };
	}

	async #step(outcome: StageOutcome, step: PlannedStep, position: number): Promise<StageOutcome> {
		const scope = this.#scope;
		invariant(scope !== undefined, "a build has begun");
		// A step begins when all that it reads is there.
		await Promise.all(stagesRead(step).map((id) => this.stage(id)));
		this.#signal.throwIfAborted();
		const listener = this.#narrator.stepStarted(outcome.stage, step, position);
		try {
			const place = {
				stage: outcome.stage,
				chain: outcome.chain,
				imageId: () => this.imageId(outcome),
				record: outcome.record,
			};
			const { result, record, isCached } = await this.#deps.solver.solve(step, place, scope, listener, this.#signal);
			const next: StageOutcome = {
				...outcome,
				chain: result.chainId,
				steps: [...outcome.steps, { step, result, record }],
				record,
			};
			listener.ended?.({ isCached, imageId: () => this.imageId(next) });
			return next;
		} catch (error) {
			listener.failed?.(error);
			throw asStepError(step, error);
		}
	}
}

function stagesRead({ action }: PlannedStep): number[] {
	const sources =
		action.kind === "copy" ? [action.source] : action.kind === "run" ? action.mounts.map(({ source }) => source) : [];
	return sources.flatMap((source) => (source?.kind === "stage" ? [source.id] : []));
}

function contextStep(stage: PlannedStage, name: string): PlannedStep {
	return {
		instruction: stage.fromText,
		title: stage.fromText,
		range: stage.fromRange,
		action: {
			kind: "copy",
			isAdd: false,
			source: { kind: "context", name },
			paths: ["."],
			heredocs: [],
			destination: "/",
			chown: undefined,
			chmod: undefined,
			link: false,
			parents: false,
			exclude: [],
			unpack: false,
			checksum: undefined,
			keepGitDir: false,
		},
		config: stage.config,
		author: "",
		createdBy: `COPY ${name} / # buildkit`,
		buildsFor: undefined,
	};
}

function baseId({ from }: PlannedStage): Digest | undefined {
	return from.kind === "image" ? from.image.id : undefined;
}

function asStepError(step: PlannedStep, error: unknown): unknown {
	if (error instanceof BuildStepError || errorKind(error) === "cancelled" || !(error instanceof EngineError))
		return error;
	const lines = step.range === undefined ? {} : { lines: { start: step.range.start.line, end: step.range.end.line } };
	return new BuildStepError({ instruction: step.instruction, ...lines }, errorMessage(error), { cause: error });
}
