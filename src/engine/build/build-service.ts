import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { Clock } from "../../base/clock.ts";
import { CancelledError, InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Builder } from "../../core/build/builder.ts";
import type { ProgressSink } from "../../core/build/progress.ts";
import type { BuildRequest, BuildResult } from "../../core/build/request.ts";
import type { TreeArchiver } from "../../core/diff/archiver.ts";
import type { LintWarning } from "../../core/dockerfile/lint/lint-rules.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import { familiar } from "../../core/image/reference.ts";
import { readDefinition } from "./build-preparation.ts";
import { reportPull, type Vertex, VertexNarrator } from "./build-progress.ts";
import { BuildRun, type BuildRunDependencies } from "./build-run.ts";
import type { OnSync } from "./context-files.ts";
import { asVertexWarning } from "./dockerfile-checks.ts";
import { Exporters } from "./exporters.ts";
import type { StageOutcome } from "./stage-builds.ts";

export interface BuildServiceDependencies extends BuildRunDependencies {
	readonly clock: Clock;
	readonly archiver: TreeArchiver;
}

const SANDBOX_HOSTNAME = "buildkitsandbox";

/** Builds with stages side by side, told in vertices. */
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
		using cancel = cancellation(signal);
		const platforms = request.platforms.length === 0 ? [this.#deps.platform] : request.platforms;
		const [platform] = platforms;
		if (platform === undefined || platforms.length > 1)
			throw new NotImplementedError("building for several platforms at once is not supported yet");
		const narrator = new VertexNarrator(progress, this.#deps.clock, newId(), { stageCount: 1, showPlatform: false });
		const loading = narrator.vertex(`[internal] load build definition from ${nameOf(request)}`);
		const definition = await loading.around(() => readDefinition(request));
		const { clock } = this.#deps;
		const stageCount = definition.dockerfile.stages.length;
		const steps = new VertexNarrator(progress, clock, newId(), { stageCount, showPlatform: false });
		const options = {
			platform,
			narrator: steps,
			resolving: <T>(reference: string, work: (onProgress: (message: ProgressMessage) => void) => Promise<T>) =>
				steps
					.vertex(`[internal] load metadata for ${reference}`)
					.around((vertex) => work((message) => reportPull(vertex, message))),
			onWarnings: (warnings: readonly LintWarning[]) => {
				for (const warning of warnings)
					progress.emit({ kind: "warning", warning: asVertexWarning(warning, loading.digest) });
			},
			onSync: ((name, work, watch) => {
				const what = name === "" ? "load build context" : `context ${name} load from client`;
				void steps
					.vertex(name === "" ? `[internal] ${what}` : `[${what}]`)
					.around((vertex) => reportTransfer(vertex, work, watch))
					.catch(() => undefined);
			}) satisfies OnSync,
			hostname: SANDBOX_HOSTNAME,
		};
		await using run = await BuildRun.begin(this.#deps, definition, request, options, cancel.signal);
		const outcome = await run.stages.all();
		const result = await this.#export(request, run, outcome, platform, steps, cancel.signal);
		void this.#deps.cache.collect();
		return result;
	}

	async #export(
		request: BuildRequest,
		run: BuildRun,
		outcome: StageOutcome,
		platform: Platform,
		narrator: VertexNarrator,
		signal: AbortSignal,
	): Promise<BuildResult> {
		const { unusedBuildArgs } = run.plan;
		const built = { document: run.stages.document(outcome, request.labels), chain: outcome.chain };
		const image = await this.#exporters.export(built, { request, views: run.views, narrator, signal });
		await this.#deps.cache.save();
		if (image === undefined) return { digest: "", images: new Map(), metadata: {}, unusedBuildArgs };
		const references = Exporters.references(request);
		const pushed = image.manifests?.[0]?.digest;
		return {
			digest: pushed ?? image.id,
			images: new Map([[formatPlatform(platform), image.id]]),
			metadata: {
				"containerimage.config.digest": image.id,
				"containerimage.digest": pushed ?? image.id,
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

function nameOf({ dockerfile }: BuildRequest): string {
	return dockerfile.kind === "text" ? dockerfile.name : dockerfile.path;
}

/** What is not there yet fails, rather than being left out. @throws NotImplementedError, InvalidParameterError */
export function checkSupported(request: BuildRequest): void {
	const missing = (what: string) => {
		throw new NotImplementedError(`${what} is not supported yet`);
	};
	if (request.cacheTo.length > 0) missing("exporting the build cache");
	if (request.attestations.provenance !== undefined) missing("provenance of builds");
	if (request.attestations.sbom !== undefined) missing("an SBOM of builds");
	if (request.annotations.length > 0) missing("annotations");
	if (request.squash) missing("squashing");
	if (request.sourceDateEpoch !== undefined && !Number.isSafeInteger(request.sourceDateEpoch))
		throw new InvalidParameterError("SOURCE_DATE_EPOCH is no whole number of seconds");
}

/** A signal whose reason is an error of ours. */
export function cancellation(signal: AbortSignal): { readonly signal: AbortSignal } & Disposable {
	const controller = new AbortController();
	const abort = () => controller.abort(new CancelledError("build cancelled"));
	signal.addEventListener("abort", abort, { once: true });
	if (signal.aborted) abort();
	return { signal: controller.signal, [Symbol.dispose]: () => signal.removeEventListener("abort", abort) };
}
