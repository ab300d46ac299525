import type { Platform } from "../../../api/oci/image.ts";
import { InvalidParameterError } from "../../../base/errors.ts";
import type { Builder } from "../../../core/build/builder.ts";
import { builderArguments } from "../../../core/build/builder-arguments.ts";
import { cacheExport } from "../../../core/build/buildkit/cache-options.ts";
import { exporterRequest } from "../../../core/build/buildkit/exporter-options.ts";
import type { FrontendRequest } from "../../../core/build/buildkit/frontend-options.ts";
import type { BuildOutput, BuildRequest, BuildResult, CacheSource, NamedContext } from "../../../core/build/request.ts";
import type { TreeWalk } from "../../../core/build/tree-walk.ts";
import { parseReference } from "../../../core/image/reference.ts";
import { ClientAnswers } from "./client-answers.ts";
import { ClientContexts, type ClientContextsDependencies } from "./client-contexts.ts";
import { answerQuestion } from "./dockerfile-questions.ts";
import { Layouts } from "./layouts.ts";
import type { SolveCall } from "./solve-call.ts";
import type { FrontendResult, SolveJob } from "./solve-job.ts";

export interface JobBuildsDependencies extends ClientContextsDependencies {
	readonly builder: Builder;
	/** Of the machine. */
	readonly platform: Platform;
	readonly trees: TreeWalk;
}

/** The builder's work for a client's job. */
export class JobBuilds {
	readonly #contexts: ClientContexts;

	constructor(private readonly deps: JobBuildsDependencies) {
		this.#contexts = new ClientContexts(deps);
	}

	/** What is asked about a Dockerfile. */
	async answer(job: SolveJob, frontend: FrontendRequest): Promise<ReadonlyMap<string, Uint8Array>> {
		await using owned = new AsyncDisposableStack();
		const scope = this.#scope(job, { owned, buildArgs: frontend.request.buildArgs, inputImages: new Map() });
		const context = await this.#contexts.main(frontend, scope, (source) => {
			job.feed.source = source;
		});
		return await answerQuestion(frontend, context, this.deps.platform);
	}

	/** Builds a result, and puts it where it is wanted. @returns what the client is told: `containerimage.digest`, … */
	async export(job: SolveJob, result: FrontendResult, call: SolveCall): Promise<ReadonlyMap<string, string>> {
		const { outputs, annotations } = exporterRequest(call.exporters);
		const cacheTo = call.cacheExports.map(({ type, attrs }) => cacheExport(type, attrs));
		const layouts = new Layouts(outputs, cacheTo);
		const built = await this.#build(job, result, { outputs, annotations, cacheTo }, layouts);
		return new Map([...responseOf(built, outputs), ...layouts.response()]);
	}

	/** Builds a result as an image without a name. @returns its ID */
	async image(job: SolveJob, result: FrontendResult): Promise<string> {
		const outputs: BuildOutput[] = [{ type: "image", attributes: {} }];
		return (await this.#build(job, result, { outputs, annotations: [], cacheTo: [] })).digest;
	}

	async #build(
		job: SolveJob,
		{ frontend, inputImages }: FrontendResult,
		wanted: Pick<BuildRequest, "outputs" | "annotations" | "cacheTo">,
		layouts: Layouts = new Layouts([], []),
	): Promise<BuildResult> {
		await using owned = new AsyncDisposableStack();
		const scope = this.#scope(job, { owned, buildArgs: frontend.request.buildArgs, inputImages });
		const context = await this.#contexts.main(frontend, scope, (source) => {
			job.feed.source = source;
		});
		const namedContexts = new Map<string, NamedContext>();
		for (const [name, origin] of frontend.named) namedContexts.set(name, await this.#contexts.named(origin, scope));
		const { provenance, ...attestations } = frontend.request.attestations;
		const isStated = provenance !== undefined && !frontend.isProvenanceOptional;
		const allow = new Set(job.entitlements);
		if (frontend.request.network === "host") allow.add("network.host");
		return await this.deps.builder.build(
			{
				id: "",
				...frontend.request,
				...wanted,
				allow,
				attestations: isStated ? { ...attestations, provenance } : attestations,
				dockerfile: { kind: "context", path: frontend.filename },
				context,
				namedContexts,
				tags: [],
				squash: false,
				session: new ClientAnswers(job.session, this.deps.trees, layouts.targets),
				cacheFrom: frontend.request.cacheFrom.map((source) => this.#cacheSource(job, source)),
			},
			job.feed.queue,
			job.signal,
		);
	}

	/** A client's cache by the digest that it has found in the layout's index. */
	#cacheSource({ session }: SolveJob, source: CacheSource): CacheSource {
		const { src = "", digest = "", ...attributes } = source.attributes;
		if (source.type !== "local" || digest === "") return source;
		const context = this.#contexts.layout(session, `local:${src}`, digest);
		return { type: "local", attributes: { ...attributes, src }, context };
	}

	#scope(
		job: SolveJob,
		given: {
			readonly owned: AsyncDisposableStack;
			readonly buildArgs: ReadonlyMap<string, string>;
			readonly inputImages: ReadonlyMap<string, string>;
		},
	) {
		const { owned, buildArgs, inputImages } = given;
		const { session, signal } = job;
		return {
			session,
			signal,
			owned,
			archive: job.archive,
			keepGitDir: builderArguments(buildArgs).keepGitDir,
			inputImage: async (name: string) => {
				const image = inputImages.get(name);
				if (image === undefined) throw new InvalidParameterError(`there is no input ${JSON.stringify(name)}`);
				return image;
			},
		};
	}
}

function responseOf({ metadata }: BuildResult, outputs: readonly BuildOutput[]): Map<string, string> {
	const entries = Object.entries(metadata).map(([key, value]): [string, string] => [
		key,
		typeof value === "string" ? value : Buffer.from(JSON.stringify(value)).toString("base64"),
	]);
	const names = outputs
		.flatMap(({ attributes }) => (attributes["name"] ?? "").split(","))
		.filter((name) => name !== "");
	// With the domain, and a tag only where one was given.
	const wholeName = (text: string) => {
		const { name, tag } = parseReference(text);
		return tag === undefined ? name : `${name}:${tag}`;
	};
	return new Map([
		...entries,
		...(names.length === 0 ? [] : [["image.name", names.map(wholeName).join(",")] as const]),
	]);
}
