import { CancelledError, errorMessage, NotFoundError, NotImplementedError } from "../../../base/errors.ts";
import { type FrontendOptions, frontendRequest } from "../../../core/build/buildkit/frontend-options.ts";
import { definitionOf, isEmptyDefinition, referenceOf } from "../../../core/build/buildkit/result-reference.ts";
import { checkFrontend } from "../../../core/dockerfile/frontend.ts";
import { Awaited, ClientSessions, NO_SESSION } from "./client-sessions.ts";
import { JobBuilds, type JobBuildsDependencies } from "./job-builds.ts";
import { ResultImages, type ResultImagesDependencies } from "./result-images.ts";
import type { FrontendAnswer, FrontendCall, SolveCall } from "./solve-call.ts";
import { SolveFailure } from "./solve-failure.ts";
import { type FrontendResult, SolveJob } from "./solve-job.ts";
import type { StatusSender } from "./status-feed.ts";

type Definition = NonNullable<FrontendCall["definition"]>;

export interface BuildKitBuildsDependencies extends JobBuildsDependencies, ResultImagesDependencies {}

/** Builds of BuildKit's clients. Dockerfiles are all that is built, by the one builder there is; graphs (LLB) are refused. */
export class BuildKitBuilds {
	readonly sessions = new ClientSessions();
	readonly #deps: BuildKitBuildsDependencies;
	readonly #builds: JobBuilds;
	readonly #images: ResultImages;
	readonly #jobs = new Awaited<SolveJob>();
	/** Results of builds under way, for builds that take them as inputs. */
	readonly #results = new Map<string, { readonly job: SolveJob; readonly result: FrontendResult }>();

	constructor(deps: BuildKitBuildsDependencies) {
		this.#deps = deps;
		this.#builds = new JobBuilds(deps);
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
			return await this.#builds.export(job, result, call);
		} catch (error) {
			throw error instanceof SolveFailure ? error : new SolveFailure(error, job.feed.source);
		} finally {
			job.isOver = true;
			for (const id of job.results.keys()) this.#results.delete(id);
			void this.#end(job);
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
		if (parsed.question !== "") return { result: undefined, metadata: await this.#builds.answer(job, parsed) };
		const inputImages = new Map<string, string>();
		for (const [name, input] of inputs)
			if (input !== undefined) inputImages.set(name, await this.#inputImage(job, referenceOf(input)));
		if (job.isOver) throw new CancelledError("the build is over");
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
		const image = await this.#images.make(() => this.#builds.image(job, result));
		job.owned.use(this.#images.hold(image));
		return image;
	}

	/** Its events may still be on their way, and the client that looks at it, too. */
	async #end(job: SolveJob): Promise<void> {
		try {
			await job.feed.end();
			await job.owned.disposeAsync();
		} catch (error) {
			this.#deps.logger.warn("failed to end a build", { error: errorMessage(error) });
		}
		await job.feed.watched();
		this.#jobs.remove(job.ref, job);
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
