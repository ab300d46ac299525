import type { Readable } from "node:stream";
import type { MessageOf } from "../../../api/buildkit/message.ts";
import type { DEFINITION } from "../../../api/buildkit/values.ts";
import type { Platform } from "../../../api/oci/image.ts";
import { errorMessage, InvalidParameterError, NotFoundError, NotImplementedError } from "../../../base/errors.ts";
import type { Builder } from "../../../core/build/builder.ts";
import { builderArguments } from "../../../core/build/builder-arguments.ts";
import { cacheExport } from "../../../core/build/buildkit/cache-options.ts";
import { type Exporter, exporterRequest } from "../../../core/build/buildkit/exporter-options.ts";
import { type FrontendOptions, frontendRequest } from "../../../core/build/buildkit/frontend-options.ts";
import { definitionOf, isEmptyDefinition, referenceOf } from "../../../core/build/buildkit/result-reference.ts";
import type { BuildOutput, BuildRequest, BuildResult, CacheSource, NamedContext } from "../../../core/build/request.ts";
import type { TreeWalk } from "../../../core/build/tree-walk.ts";
import { checkFrontend } from "../../../core/dockerfile/frontend.ts";
import { parseReference } from "../../../core/image/reference.ts";
import { ClientAnswers } from "./client-answers.ts";
import { ClientContexts, type ClientContextsDependencies } from "./client-contexts.ts";
import { Awaited, ClientSessions, NO_SESSION } from "./client-sessions.ts";
import { answerQuestion } from "./dockerfile-questions.ts";
import { Layouts } from "./layouts.ts";
import { ResultImages, type ResultImagesDependencies } from "./result-images.ts";
import { SolveFailure } from "./solve-failure.ts";
import { type FrontendResult, SolveJob } from "./solve-job.ts";
import type { StatusSender } from "./status-feed.ts";

type Definition = MessageOf<typeof DEFINITION>;

/** What a client asks a frontend for. */
export interface FrontendCall {
	readonly frontend: string;
	readonly options: FrontendOptions;
	readonly inputs: ReadonlyMap<string, Definition | undefined>;
	readonly definition: Definition | undefined;
}

export interface SolveCall extends FrontendCall {
	/** The client's own name of the build. */
	readonly ref: string;
	/** Empty: it has none, and so neither secrets nor files. */
	readonly session: string;
	readonly exporters: readonly Exporter[];
	readonly cacheExports: readonly { readonly type: string; readonly attrs: ReadonlyMap<string, string> }[];
	readonly entitlements: readonly string[];
	/** The context, where it came along with the request; the options name it as an upload. */
	readonly archive?: Readable | undefined;
}

/** What a frontend has given: a result to be used, or answers about the Dockerfile. */
export interface FrontendAnswer {
	readonly result: { readonly id: string; readonly definition: Definition } | undefined;
	readonly metadata: ReadonlyMap<string, Uint8Array>;
}

export interface BuildKitBuildsDependencies extends ClientContextsDependencies, ResultImagesDependencies {
	readonly builder: Builder;
	/** Of the machine. */
	readonly platform: Platform;
	readonly trees: TreeWalk;
}

/** Builds of BuildKit's clients. Dockerfiles are all that is built, by the one builder there is; graphs (LLB) are refused. */
export class BuildKitBuilds {
	readonly sessions = new ClientSessions();
	readonly #deps: BuildKitBuildsDependencies;
	readonly #contexts: ClientContexts;
	readonly #images: ResultImages;
	readonly #jobs = new Awaited<SolveJob>();
	/** Results of builds under way, for builds that take them as inputs. */
	readonly #results = new Map<string, { readonly job: SolveJob; readonly result: FrontendResult }>();

	constructor(deps: BuildKitBuildsDependencies) {
		this.#deps = deps;
		this.#contexts = new ClientContexts(deps);
		this.#images = new ResultImages(deps);
	}

	/**
	 * Runs a build to its end.
	 * @returns what the client is told of the exports: `containerimage.digest`, …
	 * @throws SolveFailure
	 */
	async solve(call: SolveCall, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
		const session = call.session === "" ? NO_SESSION : await this.sessions.find(call.session, signal);
		const job = new SolveJob(call, session, signal);
		this.#jobs.add(call.ref, job);
		try {
			const id = await this.#frontend(job, call);
			const result = job.results.get(id);
			if (result === undefined) return new Map();
			const { outputs, annotations } = exporterRequest(call.exporters);
			const cacheTo = call.cacheExports.map(({ type, attrs }) => cacheExport(type, attrs));
			const allow = new Set(call.entitlements);
			const layouts = new Layouts(outputs, cacheTo);
			const built = await this.#build(job, result, { outputs, annotations, cacheTo, allow }, layouts);
			return new Map([...responseOf(built, outputs), ...layouts.response()]);
		} catch (error) {
			throw error instanceof SolveFailure ? error : new SolveFailure(error, job.feed.source);
		} finally {
			for (const id of job.results.keys()) this.#results.delete(id);
			this.#end(job);
		}
	}

	/** Sends the build's progress up to its end. @throws NotFoundError */
	async watch(ref: string, send: StatusSender, signal: AbortSignal): Promise<void> {
		const job = await this.#jobs.find(ref, "job", signal);
		await job.feed.watch(send, signal);
	}

	/** A client that drives its build itself asks for a frontend's work. @throws SolveFailure */
	async askFrontend(ref: string, call: FrontendCall, signal: AbortSignal): Promise<FrontendAnswer> {
		const job = await this.#jobs.find(ref, "job", signal);
		try {
			return await this.#ask(job, call);
		} catch (error) {
			throw new SolveFailure(error, job.feed.source);
		}
	}

	/** Builds a result now. @throws SolveFailure */
	async evaluate(ref: string, id: string, signal: AbortSignal): Promise<void> {
		const job = await this.#jobs.find(ref, "job", signal);
		const result = job.results.get(id);
		// The result of a target that has nothing in it.
		if (result === undefined) return;
		try {
			await this.#image(job, result);
		} catch (error) {
			throw new SolveFailure(error, job.feed.source);
		}
	}

	/** What the client ends its build with. @param outcome a result's ID, empty for none; or why it has failed */
	async finish(ref: string, outcome: string | Error, signal: AbortSignal): Promise<void> {
		const job = await this.#jobs.find(ref, "job", signal);
		if (outcome instanceof Error) job.fail(outcome);
		else job.finish(outcome);
	}

	/** The result to export: of the frontend named in the request itself, or what the client comes back with. */
	async #frontend(job: SolveJob, call: SolveCall): Promise<string> {
		if (call.frontend === "" && isEmptyDefinition(call.definition)) return await job.returned();
		return (await this.#ask(job, call)).result?.id ?? "";
	}

	async #ask(job: SolveJob, { frontend, options, inputs, definition }: FrontendCall): Promise<FrontendAnswer> {
		checkFrontendName(frontend, options, definition);
		const parsed = frontendRequest(options);
		if (parsed.question !== "") {
			await using owned = new AsyncDisposableStack();
			const scope = this.#scope(job, { owned, buildArgs: parsed.request.buildArgs, inputImages: new Map() });
			const context = await this.#contexts.main(parsed, scope, (source) => {
				job.feed.source = source;
			});
			return { result: undefined, metadata: await answerQuestion(parsed, context, this.#deps.platform) };
		}
		const inputImages = new Map<string, string>();
		for (const [name, input] of inputs)
			if (input !== undefined) inputImages.set(name, await this.#inputImage(job, referenceOf(input)));
		const result = job.add(parsed, inputImages);
		this.#results.set(result.id, { job, result });
		return { result: { id: result.id, definition: definitionOf(result.id) }, metadata: new Map() };
	}

	/** @throws NotFoundError, and what the other build fails with */
	async #inputImage(job: SolveJob, id: string): Promise<string> {
		const found = this.#results.get(id);
		if (found === undefined) throw new NotFoundError("a build takes the result of another one that is over");
		const image = await this.#image(found.job, found.result);
		job.owned.use(this.#images.hold(image));
		return image;
	}

	/** The result as an image without a name. */
	#image(job: SolveJob, result: FrontendResult): Promise<string> {
		result.image ??= this.#buildImage(job, result);
		return result.image;
	}

	async #buildImage(job: SolveJob, result: FrontendResult): Promise<string> {
		const outputs: BuildOutput[] = [{ type: "image", attributes: {} }];
		const image = await this.#images.make(async () => {
			const built = await this.#build(job, result, { outputs, annotations: [], cacheTo: [], allow: new Set() });
			return built.digest;
		});
		job.owned.use(this.#images.hold(image));
		return image;
	}

	async #build(
		job: SolveJob,
		{ frontend, inputImages }: FrontendResult,
		wanted: Pick<BuildRequest, "outputs" | "annotations" | "cacheTo" | "allow">,
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
		const allow = new Set(wanted.allow);
		if (frontend.request.network === "host") allow.add("network.host");
		return await this.#deps.builder.build(
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
				session: new ClientAnswers(job.session, this.#deps.trees, layouts.targets),
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

	/** Its events may still be on their way. */
	#end(job: SolveJob): void {
		job.feed
			.end()
			.then(() => job.owned.disposeAsync())
			.catch((error: unknown) => this.#deps.logger.warn("failed to end a build", { error: errorMessage(error) }))
			.finally(() => this.#jobs.remove(job.ref, job));
	}
}

/** @throws NotImplementedError for all but Dockerfiles */
function checkFrontendName(frontend: string, options: FrontendOptions, definition: Definition | undefined): void {
	if (frontend === "" || !isEmptyDefinition(definition))
		throw new NotImplementedError("builds of LLB are not supported: only Dockerfiles are built");
	const source = options.get("source") ?? "";
	if (frontend === "gateway.v0") checkFrontend({ source: "" }, new Map([["BUILDKIT_SYNTAX", source || "unnamed"]]));
	else if (frontend !== "dockerfile.v0") throw new NotImplementedError(`unknown frontend ${JSON.stringify(frontend)}`);
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
