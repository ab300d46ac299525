import { type Digest, sha256 } from "../../../base/digest.ts";
import { invariant } from "../../../base/errors.ts";
import type { BuildPlan, FileSource, PlannedStage, PlannedStep, ResolvedMount, StepAction } from "./build-plan.ts";

/**
 * One plan of those for several platforms. What is the same for some of them is in it once: whole stages, and the steps before the first
 * one that differs.
 */
export function mergePlans(plans: readonly BuildPlan[]): BuildPlan {
	const [only, ...others] = plans;
	if (only !== undefined && others.length === 0) return only;
	const merger = new PlanMerger();
	const targets = plans.flatMap((plan) => merger.add(plan));
	return { stages: merger.stages, targets, unusedBuildArgs: only?.unusedBuildArgs ?? [] };
}

/** What of a plan one of its targets needs. */
export function planOfTarget(plan: BuildPlan, target: number): BuildPlan {
	const needed = new Set<number>();
	const pending = [target];
	for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
		if (needed.has(id)) continue;
		needed.add(id);
		pending.push(...(plan.stages.get(id)?.needs ?? []));
	}
	return { ...plan, stages: new Map([...plan.stages].filter(([id]) => needed.has(id))), targets: [target] };
}

class PlanMerger {
	readonly stages = new Map<number, PlannedStage>();
	/** By all that makes a stage. */
	readonly #ids = new Map<Digest, number>();
	/** By a step and all that is before it. */
	readonly #steps = new Map<Digest, PlannedStep>();

	/** @returns where its targets are now */
	add(plan: BuildPlan): number[] {
		const ids = new Map<number, number>();
		for (const stage of plan.stages.values()) ids.set(stage.id, this.#place(renumbered(stage, ids)));
		return plan.targets.map((target) => newId(ids, target));
	}

	#place(stage: PlannedStage): number {
		const { id: _id, needs, steps, ...start } = stage;
		let key = sha256(JSON.stringify(start));
		const shared = steps.map((step) => {
			key = sha256(JSON.stringify([key, step]));
			const known = this.#steps.get(key) ?? step;
			this.#steps.set(key, known);
			return known;
		});
		const id = this.#ids.get(key) ?? this.stages.size;
		this.#ids.set(key, id);
		if (!this.stages.has(id)) this.stages.set(id, { ...start, id, needs, steps: shared });
		return id;
	}
}

function renumbered(stage: PlannedStage, ids: ReadonlyMap<number, number>): PlannedStage {
	const { from, steps, needs } = stage;
	return {
		...stage,
		from: from.kind === "stage" ? { kind: "stage", id: newId(ids, from.id) } : from,
		steps: steps.map((step) => ({ ...step, action: renumberedAction(step.action, ids) })),
		needs: new Set([...needs].map((id) => newId(ids, id))),
	};
}

function renumberedAction(action: StepAction, ids: ReadonlyMap<number, number>): StepAction {
	if (action.kind === "copy") return { ...action, source: renumberedSource(action.source, ids) };
	if (action.kind !== "run") return action;
	const mounts = action.mounts.map(
		({ mount, source }): ResolvedMount => ({
			mount,
			source: source === undefined ? undefined : renumberedSource(source, ids),
		}),
	);
	return { ...action, mounts };
}

function renumberedSource(source: FileSource, ids: ReadonlyMap<number, number>): FileSource {
	return source.kind === "stage" ? { kind: "stage", id: newId(ids, source.id) } : source;
}

function newId(ids: ReadonlyMap<number, number>, id: number): number {
	const found = ids.get(id);
	invariant(found !== undefined, `stage ${id} comes before those that read it`);
	return found;
}
