import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Builder } from "../../core/build/builder.ts";
import { type BuilderArguments, builderArguments } from "../../core/build/builder-arguments.ts";
import type { BuildPlan } from "../../core/build/plan/build-plan.ts";
import { planOfTarget } from "../../core/build/plan/merge-plans.ts";
import type { ProgressSink } from "../../core/build/progress.ts";
import { provenance } from "../../core/build/provenance.ts";
import type { BuildAnnotation, BuildRequest, BuildResult } from "../../core/build/request.ts";
import { type PackageInventory, sbomStatement } from "../../core/build/sbom/spdx.ts";
import type { TreeArchiver } from "../../core/diff/archiver.ts";
import { checkFrontend } from "../../core/dockerfile/frontend.ts";
import type { LintWarning } from "../../core/dockerfile/lint/lint-rules.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import type { PublishedForm } from "../../core/image/published-form.ts";
import { familiar } from "../../core/image/reference.ts";
import { type BuildDefinition, readDefinition } from "./build-preparation.ts";
import { fullReference, reportPull, type Vertex, VertexNarrator } from "./build-progress.ts";
import { BuildRun, type BuildRunDependencies, type RunOptions } from "./build-run.ts";
import type { OnSync } from "./context-files.ts";
import { asVertexWarning } from "./dockerfile-checks.ts";
import { type BuiltImage, type ExportContext, Exporters } from "./exporters.ts";
import { PackageScan } from "./package-scan.ts";
import type { RunningBuilds } from "./running-builds.ts";
import type { StageOutcome } from "./stage-builds.ts";

export interface BuildServiceDependencies extends BuildRunDependencies {
	readonly clock: Clock;
	readonly archiver: TreeArchiver;
	readonly running: RunningBuilds;
}

const SANDBOX_HOSTNAME = "buildkitsandbox";

/** Builds with stages and platforms side by side, told in vertices. */
export class BuildService implements Builder {
	readonly #deps: BuildServiceDependencies;
	readonly #exporters: Exporters;

	constructor(deps: BuildServiceDependencies) {
		this.#deps = deps;
		this.#exporters = new Exporters(deps);
	}

	async build(request: BuildRequest, progress: ProgressSink, signal: AbortSignal): Promise<BuildResult> {
		checkSupported(request);
		// Before anything is done: whether the names are names.
		Exporters.references(request);
		return await this.#deps.running.run(signal, (cancelled) => this.#build(request, progress, cancelled));
	}

	async #build(request: BuildRequest, progress: ProgressSink, signal: AbortSignal): Promise<BuildResult> {
		const startedAt = this.#deps.clock.now();
		const own = builderArguments(request.buildArgs);
		const platforms = request.platforms.length === 0 ? [this.#deps.platform] : withoutTwins(request.platforms);
		const narrator = new VertexNarrator(progress, this.#deps.clock, newId(), { stageCount: 1, showPlatform: false });
		const loading = narrator.vertex(`[internal] load build definition from ${nameOf(request)}`);
		const definition = await loading.around(() => readDefinition(request));
		checkFrontend(definition.dockerfile, request.buildArgs);
		const shown = { stageCount: definition.dockerfile.stages.length, showPlatform: platforms.length > 1 };
		const steps = new VertexNarrator(progress, this.#deps.clock, newId(), shown);
		const options = this.#options(platforms, own, steps, progress, loading.digest);
		await using run = await BuildRun.begin(this.#deps, definition, request, options, signal);
		const outcomes = (await run.stages.all()).map((outcome, at) =>
			asAskedFor(outcome, request.platforms, platforms[at]),
		);
		const built: BuiltImage[] = [];
		for (const outcome of outcomes) built.push(await run.image(outcome));
		const sboms = await this.#sboms(built, request, run, narrator, signal);
		const targets = run.plan.targets.map((id, at) => ({ id, platform: built[at]?.platform ?? this.#deps.platform }));
		const form = this.#form(request, { plan: run.plan, targets }, definition, startedAt, sboms);
		const context = { request, views: run.views, narrator, signal, form };
		const result = await this.#export(built, context, run.plan.unusedBuildArgs);
		for (const [at, { attributes }] of request.cacheTo.entries()) {
			const images = await run.cacheImages(outcomes, attributes["mode"] === "max");
			await this.#exporters.exportCache(images, at, context);
		}
		void this.#deps.cache.collect();
		return result;
	}

	#options(
		platforms: readonly Platform[],
		{ hostname }: BuilderArguments,
		steps: VertexNarrator,
		progress: ProgressSink,
		definition: Digest,
	): RunOptions {
		const warned = new Set<string>();
		return {
			platforms,
			narrator: steps,
			resolving: <T>(
				reference: string,
				platform: Platform,
				work: (onProgress: (message: ProgressMessage) => void) => Promise<T>,
			) =>
				steps
					.internal(`load metadata for ${fullReference(reference)}`, platform)
					.around((vertex) => work((message) => reportPull(vertex, message))),
			onWarnings: (warnings: readonly LintWarning[]) => {
				for (const found of warnings) {
					const warning = asVertexWarning(found, definition);
					// What holds for several platforms is said once.
					const text = JSON.stringify(warning);
					if (!warned.has(text)) progress.emit({ kind: "warning", warning });
					warned.add(text);
				}
			},
			onSync: ((name, work, watch) => {
				const what = name === "" ? "load build context" : `context ${name} load from client`;
				void steps
					.vertex(name === "" ? `[internal] ${what}` : `[${what}]`)
					.around((vertex) => reportTransfer(vertex, work, watch))
					.catch(() => undefined);
			}) satisfies OnSync,
			hostname: hostname || SANDBOX_HOSTNAME,
		};
	}

	/** What is in each platform's image; undefined when nobody asked. */
	async #sboms(
		built: readonly BuiltImage[],
		request: BuildRequest,
		{ views }: BuildRun,
		narrator: VertexNarrator,
		signal: AbortSignal,
	): Promise<ReadonlyMap<string, PackageInventory> | undefined> {
		if (request.attestations.sbom === undefined) return undefined;
		const found = new Map<string, PackageInventory>();
		for (const { chain, document, platform } of built) {
			const name = formatPlatform(platform);
			await narrator.vertex(`[${name}] generating sbom`).around(async () => {
				const scan = new PackageScan(this.#deps.files, await views.path(chain), signal);
				found.set(name, await scan.run(String(document.config?.["WorkingDir"] ?? "")));
			});
		}
		return found;
	}

	#form(
		request: BuildRequest,
		{ plan, targets }: { plan: BuildPlan; targets: readonly { id: number; platform: Platform }[] },
		{ dockerfile }: BuildDefinition,
		startedAt: number,
		sboms: ReadonlyMap<string, PackageInventory> | undefined,
	): PublishedForm {
		const at = (level: BuildAnnotation["level"]) =>
			Object.fromEntries(
				request.annotations.filter((each) => each.level === level).map(({ key, value }) => [key, value]),
			);
		const annotations = {
			manifest: at("manifest"),
			index: at("index"),
			manifestDescriptor: at("manifest-descriptor"),
		};
		const hasProvenance = request.attestations.provenance !== undefined;
		const hasIndex = builderArguments(request.buildArgs).multiPlatform;
		if (!hasProvenance && sboms === undefined) return { annotations, attest: undefined, hasIndex };
		const common = {
			request,
			dockerfile: dockerfile.source,
			buildId: newId(),
			startedAt,
			finishedAt: this.#deps.clock.now(),
		};
		const names = Exporters.references(request);
		const { sourceDateEpoch } = request;
		const createdAt = sourceDateEpoch === undefined ? common.finishedAt : sourceDateEpoch * 1000;
		const attest = (manifest: Digest, platform: Platform) => {
			const name = formatPlatform(platform);
			const inventory = sboms?.get(name);
			const target = targets.find((each) => formatPlatform(each.platform) === name);
			const own = target === undefined ? plan : planOfTarget(plan, target.id);
			return [
				...(inventory === undefined ? [] : [sbomStatement({ inventory, platform, names, createdAt }, manifest)]),
				...(hasProvenance ? [provenance({ ...common, plan: own, platform }, manifest, names)] : []),
			];
		};
		return { annotations, attest, hasIndex };
	}

	async #export(
		built: readonly BuiltImage[],
		context: ExportContext,
		unusedBuildArgs: readonly string[],
	): Promise<BuildResult> {
		const { images, pushed } = await this.#exporters.export(built, context);
		await this.#deps.cache.settle();
		const [first] = images;
		if (first === undefined) return { digest: "", images: new Map(), metadata: {}, unusedBuildArgs };
		const references = Exporters.references(context.request);
		const platformOf = (at: number) => formatPlatform(built[at]?.platform ?? this.#deps.platform);
		return {
			digest: pushed ?? first.id,
			images: new Map(images.map(({ id }, at) => [platformOf(at), id])),
			metadata: {
				...(images.length === 1 ? { "containerimage.config.digest": first.id } : {}),
				"containerimage.digest": pushed ?? first.id,
				...(references.length === 0 ? {} : { "image.name": references.map(familiar).join(",") }),
			},
			unusedBuildArgs,
		};
	}
}

/** Bytes of a context as they come. */
async function reportTransfer(vertex: Vertex, work: Promise<unknown>, watch: Parameters<OnSync>[2]): Promise<void> {
	let transferred = 0;
	watch((bytes) => {
		transferred = bytes;
		vertex.status("transferring context:", bytes, 0);
	});
	await work;
	vertex.status("transferring context:", transferred, 0, true);
}

/** An image is for the platform that was asked for, also where FROM names another one for its stage. */
function asAskedFor(
	outcome: StageOutcome,
	asked: readonly Platform[],
	platform: Platform = outcome.stage.platform,
): StageOutcome {
	return asked.length === 0 ? outcome : { ...outcome, stage: { ...outcome.stage, platform } };
}

/** The same platform twice is one. */
function withoutTwins(platforms: readonly Platform[]): Platform[] {
	return [...new Map(platforms.map((platform) => [formatPlatform(platform), platform])).values()];
}

function nameOf({ dockerfile }: BuildRequest): string {
	return dockerfile.kind === "text" ? dockerfile.name : dockerfile.path;
}

/** What is not there yet fails, rather than being left out. @throws NotImplementedError, InvalidParameterError */
export function checkSupported(request: BuildRequest): void {
	const missing = (what: string) => {
		throw new NotImplementedError(`${what} is not supported yet`);
	};
	for (const { type, attributes } of request.cacheTo) {
		const { mode = "min" } = attributes;
		if (mode !== "min" && mode !== "max") throw new InvalidParameterError(`invalid cache mode: ${mode}`);
		// BuildKit's, too: there are no other images to put it into.
		if (type === "inline" && mode === "max") missing("an inline cache with mode=max");
	}
	for (const { type } of request.cacheFrom) if (type === "inline") missing("a cache import of type inline");
	if (request.annotations.some(({ level }) => level === "index-descriptor"))
		missing("an annotation of an index's descriptor");
	const generator = request.attestations.sbom?.generator ?? "";
	if (generator !== "") missing(`an SBOM by a generator (${generator}; without one, the builder looks by itself)`);
	if (request.sourceDateEpoch !== undefined && !Number.isSafeInteger(request.sourceDateEpoch))
		throw new InvalidParameterError("SOURCE_DATE_EPOCH is no whole number of seconds");
}
