import type { Clock } from "../../base/clock.ts";
import { type Digest, sha256 } from "../../base/digest.ts";
import { NotImplementedError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { Pool } from "../../base/pool.ts";
import type { BuildFiles } from "../../core/build/build-directories.ts";
import type { StepResult } from "../../core/build/cache-record.ts";
import type { PlannedStage, PlannedStep, StepAction } from "../../core/build/plan/build-plan.ts";
import { BuildStepError } from "../../core/build/step-error.ts";
import { configKey, copyKey, directoryKey, type KeyScope, runKey } from "../../core/build/step-key.ts";
import { FreshFiles } from "../../core/diff/fresh-files.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";
import type { BuildCache } from "./build-cache.ts";
import type { BuildScope, StepListener } from "./build-scope.ts";
import type { OutputPart } from "./output-frames.ts";
import { SharedWork } from "./shared-work.ts";
import type { StepCommands } from "./step-commands.ts";
import type { StepCopies } from "./step-copies.ts";

export interface StepSolverDependencies {
	readonly cache: BuildCache;
	readonly layers: LayerRegistry;
	readonly snapshotter: Snapshotter;
	readonly files: BuildFiles;
	readonly copies: StepCopies;
	readonly commands: StepCommands;
	readonly clock: Clock;
}

/** Where a stage stands when a step begins. */
export interface StepPlace {
	readonly stage: PlannedStage;
	readonly chain: Digest | undefined;
	/** The image's ID as it is now. */
	readonly imageId: () => Digest;
	/** Cache record of the step before. */
	readonly record: string | undefined;
	/** Where users' names are looked up, when it is not where the step stands. */
	readonly accounts?: Digest | undefined;
}

export interface SolvedStep {
	readonly result: StepResult;
	readonly record: string;
	readonly isCached: boolean;
}

type Event = { readonly kind: "running"; readonly id: string } | { readonly kind: "output"; readonly part: OutputPart };

/** Steps with files of their own that run side by side, over all builds. */
const PARALLEL_STEPS = 8;
/** Layers from this size on begin to go to the disk as soon as they are made. */
const EARLY_FLUSH_BYTES = 1 << 20;

/**
 * Settles steps one by one: from the cache by definition, then by the contents of what they read, else by doing them. The same step is done
 * once, however many builds want it.
 */
export class StepSolver {
	readonly #deps: StepSolverDependencies;
	/** A command's failure is everybody's; a client that has gone, or has no such secret, is one's own. */
	readonly #shared = new SharedWork<{ result: StepResult; record: string }, Event>(
		(error) => !(error instanceof BuildStepError),
	);
	readonly #pool = new Pool(PARALLEL_STEPS);

	constructor(deps: StepSolverDependencies) {
		this.#deps = deps;
	}

	async solve(
		step: PlannedStep,
		place: StepPlace,
		scope: BuildScope,
		listener: StepListener,
		signal: AbortSignal,
	): Promise<SolvedStep> {
		signal.throwIfAborted();
		if (isLinked(step.action) && place.chain !== undefined)
			return await this.#solveLinked(step, place, scope, listener, signal);
		const keys: Digest[] = [];
		const isFresh = isWithoutCache(scope, place.stage);
		for await (const key of this.#keys(step.action, step, place, scope, signal)) {
			keys.push(key);
			const found = isFresh ? undefined : this.#deps.cache.find([key], scope.leases);
			if (found?.result === undefined) continue;
			// The next time it is found without reading anything.
			if (keys.length > 1) this.#deps.cache.touch(found.id, [...new Set([...found.keys, ...keys])]);
			listener.cached?.();
			return { result: found.result, record: found.id, isCached: true };
		}
		if (step.action.kind === "config") return this.#noteConfig(step, place, keys, scope);
		return { ...(await this.#execute(step, place, keys, scope, listener, signal)), isCached: false };
	}

	/**
	 * `--link`: solved as if the stage were empty, then its layer is put on the stage's. What it stands on is in no key, and another base
	 * image changes nothing but where the same layer lies.
	 */
	async #solveLinked(
		step: PlannedStep,
		place: StepPlace,
		scope: BuildScope,
		listener: StepListener,
		signal: AbortSignal,
	): Promise<SolvedStep> {
		const { layers } = this.#deps;
		const alone = { ...place, chain: undefined, record: undefined, accounts: place.chain };
		const { result, record, isCached } = await this.solve(step, alone, scope, listener, signal);
		// Of a cache that came from elsewhere the layer may stand on others: it is the topmost that counts.
		const layer = result.isEmpty || result.chainId === undefined ? undefined : layers.get(result.chainId);
		if (layer === undefined) return { result: { ...result, chainId: place.chain, isEmpty: true }, record, isCached };
		const { diffId } = layer;
		const open = () => layers.tar(layer);
		const { chainId } = await layers.unpack(
			{ parent: place.chain, diffId, open, isDeferred: true },
			scope.leases.layers,
		);
		return { result: { ...result, chainId }, record, isCached };
	}

	/** From cheap to dear. Each stands for the same step; the last one says most about it. */
	async *#keys(
		action: StepAction,
		step: PlannedStep,
		place: StepPlace,
		scope: BuildScope,
		signal: AbortSignal,
	): AsyncGenerator<Digest> {
		const keyScope: KeyScope = {
			parent: place.chain,
			platform: formatPlatform(place.stage.platform),
			network: scope.request.network,
			extraHosts: scope.request.extraHosts,
			sourceDateEpoch: scope.request.sourceDateEpoch,
		};
		switch (action.kind) {
			case "config":
				yield configKey(place.imageId(), step.createdBy || step.instruction);
				return;
			case "directory":
				yield directoryKey(action.path, action.user, keyScope);
				return;
			case "copy": {
				const { copies } = this.#deps;
				const owner = await copies.owner(action, place.accounts ?? place.chain, scope);
				const definition = await copies.definition(action, scope, signal);
				if (definition !== undefined) yield copyKey(action, keyScope, owner, definition);
				yield copyKey(action, keyScope, owner, [await copies.contents(action, scope, signal)]);
				return;
			}
			case "run": {
				const { commands } = this.#deps;
				const definition = await commands.definition(action, scope);
				if (definition !== undefined) yield runKey(action, keyScope, definition);
				if (commands.readsFiles(action)) yield runKey(action, keyScope, await commands.contents(action, scope, signal));
			}
		}
	}

	#noteConfig(step: PlannedStep, place: StepPlace, keys: Digest[], scope: BuildScope): SolvedStep {
		const result: StepResult = { chainId: place.chain, isEmpty: true, createdAt: this.#deps.clock.now() };
		const record = this.#record("internal", step, place, keys, result, scope);
		return { result, record, isCached: false };
	}

	async #execute(
		step: PlannedStep,
		place: StepPlace,
		keys: readonly Digest[],
		scope: BuildScope,
		listener: StepListener,
		signal: AbortSignal,
	): Promise<{ result: StepResult; record: string }> {
		const nonce = isWithoutCache(scope, place.stage) ? scope.nonce : "";
		const solved = await this.#shared.run(
			sha256(JSON.stringify([nonce, keys.at(-1)])),
			(emit, shared) => {
				const work = this.#pool.run(async () => {
					const result = await this.#perform(step, place, scope, emit, shared);
					return { result, record: this.#record("regular", step, place, keys, result, scope) };
				});
				const settled: Promise<unknown> = work.then(
					() => scope.pending.delete(settled),
					() => scope.pending.delete(settled),
				);
				scope.pending.add(settled);
				return work;
			},
			(event) => (event.kind === "running" ? listener.running?.(event.id) : listener.output?.(event.part)),
			signal,
		);
		// Done for another build, perhaps: this one keeps it, too.
		if (solved.result.chainId !== undefined) scope.leases.layers.hold(solved.result.chainId);
		scope.leases.cache.hold(solved.record);
		return solved;
	}

	/** Makes the step's changes in a snapshot of its own, and a layer of that. Nothing stays behind when it fails. */
	async #perform(
		step: PlannedStep,
		place: StepPlace,
		scope: BuildScope,
		emit: (event: Event) => Promise<void>,
		signal: AbortSignal,
	): Promise<StepResult> {
		const { snapshotter, layers, copies, commands, clock } = this.#deps;
		const { action } = step;
		const id = newId();
		const needsProcess = action.kind === "run";
		const fresh = new FreshFiles();
		try {
			await snapshotter.prepare(id, place.chain, { bare: !needsProcess });
			const { mergedPath, upperPath, isWholeTree } = await snapshotter.mount(id, { volatile: true });
			if (action.kind === "run") {
				await emit({ kind: "running", id });
				const target = { id, rootPath: mergedPath, platform: place.stage.platform };
				const onOutput = (part: OutputPart) => emit({ kind: "output", part });
				await commands.run(step, action, target, scope, onOutput, signal);
			} else if (action.kind === "copy") {
				const upper = {
					path: upperPath,
					fresh,
					detach: () => snapshotter.unmount(id),
					startFlush: () => snapshotter.startFlush(),
				};
				const target = { root: mergedPath, ...(isWholeTree || hasHeredocs(action) ? {} : { upper }) };
				await copies.copy(action, target, place.accounts ?? place.chain, scope, signal);
			} else if (action.kind === "directory") copies.makeDirectory(action, mergedPath);
			else throw new NotImplementedError(`a step of kind ${action.kind} changes no files`);
			signal.throwIfAborted();
			const { sourceDateEpoch } = scope.request;
			if (sourceDateEpoch !== undefined) {
				await snapshotter.unmount(id);
				await this.#deps.files.limitTimes(upperPath, sourceDateEpoch * 1000);
			}
			const layer = await layers.commit(id, scope.leases.layers, fresh);
			// While other steps run. COPY has seen to it itself.
			if (needsProcess && (layer?.tarSizeBytes ?? 0) > EARLY_FLUSH_BYTES) snapshotter.startFlush();
			return { chainId: layer?.chainId ?? place.chain, isEmpty: layer === undefined, createdAt: clock.now() };
		} catch (error) {
			await snapshotter.remove(id);
			throw error;
		}
	}

	#record(
		kind: "regular" | "internal",
		step: PlannedStep,
		place: StepPlace,
		keys: readonly Digest[],
		result: StepResult,
		scope: BuildScope,
	): string {
		const parents = place.record === undefined ? [] : [place.record];
		const record = { kind, description: descriptionOf(step, place.stage), keys: [...keys], parents, result };
		return this.#deps.cache.add(record, scope.leases.cache).id;
	}
}

function isLinked(action: StepAction): boolean {
	return action.kind === "copy" && action.link;
}

/** They are written afterwards, through the overlay. */
function hasHeredocs({ heredocs }: Extract<StepAction, { readonly kind: "copy" }>): boolean {
	return heredocs.length > 0;
}

function isWithoutCache({ request }: BuildScope, stage: PlannedStage): boolean {
	const { noCache } = request;
	return noCache === "all" || noCache.some((name) => name.toLowerCase() === stage.name || name === String(stage.index));
}

function descriptionOf(step: PlannedStep, stage: PlannedStage): string {
	const name = stage.name === "" ? "" : `[${stage.name}] `;
	return `${name}${step.instruction}`.slice(0, 1024);
}
