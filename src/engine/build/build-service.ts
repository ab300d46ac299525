import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { Clock } from "../../base/clock.ts";
import { CancelledError, InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Builder } from "../../core/build/builder.ts";
import type { ProgressSink } from "../../core/build/progress.ts";
import type { BuildRequest, BuildResult } from "../../core/build/request.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import { familiar } from "../../core/image/reference.ts";
import { readDefinition } from "./build-preparation.ts";
import { reportPull, type Vertex, VertexNarrator } from "./build-progress.ts";
import { BuildRun, type BuildRunDependencies } from "./build-run.ts";
import type { OnSync } from "./context-files.ts";
import { ImageWriter } from "./image-writer.ts";

export interface BuildServiceDependencies extends BuildRunDependencies {
	readonly clock: Clock;
}

const SANDBOX_HOSTNAME = "buildkitsandbox";

/** Builds with stages side by side, told in vertices. */
export class BuildService implements Builder {
	readonly #deps: BuildServiceDependencies;
	readonly #writer: ImageWriter;

	constructor(deps: BuildServiceDependencies) {
		this.#deps = deps;
		this.#writer = new ImageWriter(deps.images.workshop, deps.cache);
	}

	async build(request: BuildRequest, progress: ProgressSink, signal: AbortSignal): Promise<BuildResult> {
		checkSupported(request);
		const references = ImageWriter.references(request.tags);
		using cancel = cancellation(signal);
		const platforms = request.platforms.length === 0 ? [this.#deps.platform] : request.platforms;
		const [platform] = platforms;
		if (platform === undefined || platforms.length > 1)
			throw new NotImplementedError("building for several platforms at once is not supported yet");
		const narrator = new VertexNarrator(progress, this.#deps.clock, newId(), { stageCount: 1, showPlatform: false });
		const definition = await narrator
			.vertex(`[internal] load build definition from ${nameOf(request)}`)
			.around(() => readDefinition(request));
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
		const result = await this.#export(request, run, outcome, platform, references, steps);
		void this.#deps.cache.collect();
		return result;
	}

	async #export(
		request: BuildRequest,
		run: BuildRun,
		outcome: Awaited<ReturnType<BuildRun["stages"]["all"]>>,
		platform: Platform,
		references: readonly string[],
		steps: VertexNarrator,
	): Promise<BuildResult> {
		const { unusedBuildArgs } = run.plan;
		if (request.outputs.length === 0) {
			await this.#deps.cache.save();
			return { digest: "", images: new Map(), metadata: {}, unusedBuildArgs };
		}
		const image = await steps.vertex("exporting to image").around(async (vertex) => {
			const document = run.stages.document(outcome, request.labels);
			const written = await this.#writer.write(document, outcome.chain, references);
			vertex.status(`writing image ${written.id}`, 0, 0, true);
			for (const reference of references) vertex.status(`naming to ${reference}`, 0, 0, true);
			return written;
		});
		return {
			digest: image.id,
			images: new Map([[formatPlatform(platform), image.id]]),
			metadata: {
				"containerimage.config.digest": image.id,
				"containerimage.digest": image.id,
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
	for (const output of request.outputs) if (output.type !== "image") missing(`output of type ${output.type}`);
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
