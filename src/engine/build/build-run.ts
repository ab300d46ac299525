import type { Platform } from "../../api/oci/image.ts";
import { newId } from "../../base/ids.ts";
import { settleAll } from "../../base/settle-all.ts";
import { builderArguments } from "../../core/build/builder-arguments.ts";
import { checkEntitlements } from "../../core/build/entitlements.ts";
import { type InlineStep, withInlineCache } from "../../core/build/inline-cache.ts";
import type { BuildPlan } from "../../core/build/plan/build-plan.ts";
import { mergePlans } from "../../core/build/plan/merge-plans.ts";
import type { BuildRequest } from "../../core/build/request.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { ImageService } from "../image/image-service.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import { BaseImages } from "./base-images.ts";
import type { BuildCache } from "./build-cache.ts";
import { type BuildDefinition, type PlanOptions, preparePlan } from "./build-preparation.ts";
import { importCaches } from "./cache-imports.ts";
import { ContextFiles, type OnSync } from "./context-files.ts";
import type { BuiltImage } from "./exporters.ts";
import { RemoteSources, type RemoteSourcesDependencies } from "./remote-sources.ts";
import { type SquashDependencies, squash } from "./squash.ts";
import { type BuildNarrator, StageBuilds, type StageOutcome } from "./stage-builds.ts";
import { StageViews } from "./stage-views.ts";
import type { StepSolver } from "./step-solver.ts";

export interface BuildRunDependencies extends RemoteSourcesDependencies {
	readonly images: ImageService;
	readonly cache: BuildCache;
	readonly solver: StepSolver;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
	/** Of the machine. */
	readonly platform: Platform;
}

export interface RunOptions {
	/** Those that are built for, side by side. */
	readonly platforms: readonly Platform[];
	readonly narrator: BuildNarrator;
	readonly resolving: PlanOptions["resolving"];
	readonly onWarnings: PlanOptions["onWarnings"];
	/** Hears of each context's transfer. */
	readonly onSync: OnSync;
	/** Of RUN; empty: a name for each step. */
	readonly hostname: string;
}

/** A build, from plan to finished stages. What it holds, it gives back at its end. */
export class BuildRun implements AsyncDisposable {
	readonly #stack: AsyncDisposableStack;

	private constructor(
		readonly plan: BuildPlan,
		readonly stages: StageBuilds,
		readonly views: StageViews,
		private readonly finishing: {
			readonly deps: SquashDependencies & { readonly cache: BuildCache };
			readonly lease: LayerLease;
			readonly request: BuildRequest;
		},
		stack: AsyncDisposableStack,
	) {
		this.#stack = stack;
	}

	/** @throws DockerfileError, NotFoundError, RemoteError */
	static async begin(
		deps: BuildRunDependencies,
		definition: BuildDefinition,
		request: BuildRequest,
		options: RunOptions,
		signal: AbortSignal,
	): Promise<BuildRun> {
		await using stack = new AsyncDisposableStack();
		const { cache, directories, images, platform } = deps;
		const { layers } = images.workshop;
		const leases = { layers: stack.use(layers.lease()), cache: stack.use(cache.lease()) };
		const base = new BaseImages(images, leases.layers, {
			pull: request.pull,
			credentials: (host) => request.session.credentials(host),
			platform,
			layouts: request.namedContexts,
			files: deps.files,
		});
		const { resolving, onWarnings, platforms } = options;
		const planning = { buildPlatform: platform, images: base, resolving, onWarnings };
		const failure = new AbortController();
		const planSignal = AbortSignal.any([signal, failure.signal]);
		const plans = platforms.map((target) =>
			preparePlan(definition, request, { ...planning, platform: target }, planSignal),
		);
		const plan = mergePlans(await settleAll(plans, failure));
		checkEntitlements(plan, request);
		for (const wanted of platforms) {
			const importing = (reference: string, work: () => Promise<void>) => resolving(reference, wanted, work);
			const imports = { cache, layers, files: deps.files, leases, images: base, platform: wanted, importing };
			await importCaches(request.cacheFrom, imports, signal);
		}
		const emptyDirectory = () => {
			const path = directories.temporary();
			stack.defer(() => directories.removeTemporary(path));
			return path;
		};
		const views = stack.use(new StageViews(deps.snapshotter, () => owned.empty()));
		const sources = { own: request.context, named: request.namedContexts, ignore: definition.ignore };
		const contexts = stack.use(
			new ContextFiles({ ...sources, emptyDirectory: () => owned.empty() }, plan, options.onSync),
		);
		const remotes = stack.use(new RemoteSources({ ...deps, remotes: deps.remotes.through(request.buildArgs) }));
		const stages = new StageBuilds({ solver: deps.solver, layers }, plan, options.narrator, signal);
		const owned = { empty: emptyDirectory };
		const pending = new Set<Promise<unknown>>();
		// First of all at the end: other builds may still need what a step of this one reads.
		stack.defer(async () => void (await Promise.all(pending)));
		stages.begin({
			request,
			leases,
			contexts,
			views,
			remotes,
			chainOf: async (id) => (await stages.stage(id)).chain,
			nonce: newId(),
			pending,
			hostname: options.hostname,
		});
		contexts.begin(signal);
		const moved = stack.move();
		// What is made on the way belongs to the run by now.
		owned.empty = () => {
			const path = directories.temporary();
			moved.defer(() => directories.removeTemporary(path));
			return path;
		};
		const finishing = { deps: { ...deps, layers }, lease: leases.layers, request };
		return new BuildRun(plan, stages, views, finishing, moved);
	}

	/** The image that a stage has become, with the request's labels, in one layer when that was asked for. */
	async image(outcome: StageOutcome): Promise<BuiltImage> {
		const { deps, lease, request } = this.finishing;
		const document = this.stages.document(outcome, request.labels);
		const { chain, baseChain, base } = outcome;
		const { platform } = outcome.stage;
		if (!request.squash) {
			const { inlineCache } = builderArguments(request.buildArgs);
			const hasCache = inlineCache || request.cacheTo.some(({ type }) => type === "inline");
			return { document: hasCache ? withInlineCache(document, this.#inlineSteps(outcome)) : document, chain, platform };
		}
		const input = { document, chain, baseChain, baseHistory: base?.history?.length ?? 0 };
		return { ...(await squash(deps, input, this.views, lease)), platform };
	}

	/**
	 * Images that carry the build's cache elsewhere, the targets' first.
	 * @param isMax with those of all other stages, but for stages that another one goes on from
	 */
	async cacheImages(targets: readonly StageOutcome[], isMax: boolean): Promise<BuiltImage[]> {
		const ids = isMax ? [...this.plan.stages.keys()].filter((id) => !this.plan.targets.includes(id)) : [];
		const others = await Promise.all(ids.map((id) => this.stages.stage(id)));
		const all = [...targets, ...others.filter(({ steps }) => steps.length > 0)];
		const isPart = (each: StageOutcome, of: StageOutcome) => of.steps.some((step) => step.record === each.record);
		const kept = all.filter(
			(each, at) =>
				at < targets.length ||
				!all.some((other, index) => index !== at && isPart(each, other) && (index < at || !isPart(other, each))),
		);
		return kept.map((each) => ({
			document: withInlineCache(this.stages.document(each), this.#inlineSteps(each)),
			chain: each.chain,
			platform: each.stage.platform,
		}));
	}

	#inlineSteps({ steps }: StageOutcome): InlineStep[] {
		return steps.flatMap(({ record, result }) => {
			const known = this.finishing.deps.cache.get(record);
			return known === undefined ? [] : [{ keys: known.keys, description: known.description, result }];
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#stack.disposeAsync();
	}
}
