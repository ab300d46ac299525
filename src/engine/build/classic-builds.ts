import type { Readable } from "node:stream";
import type { ProgressMessage } from "../../api/engine/image.ts";
import {
	EngineError,
	errorKind,
	errorMessage,
	InvalidParameterError,
	invariant,
	NotFoundError,
} from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import type { PlannedStage, PlannedStep } from "../../core/build/plan/build-plan.ts";
import type { BuildRequest } from "../../core/build/request.ts";
import { BuildStepError } from "../../core/build/step-error.ts";
import { familiar } from "../../core/image/reference.ts";
import { readDefinition } from "./build-preparation.ts";
import { BuildRun } from "./build-run.ts";
import { type BuildServiceDependencies, checkSupported } from "./build-service.ts";
import type { WholeContexts } from "./build-sessions.ts";
import { ImageWriter } from "./image-writer.ts";
import { MessageQueue } from "./message-queue.ts";
import type { BuildNarrator, StepEnd } from "./stage-builds.ts";

/** One line of the classic builder's answer. */
export type ClassicMessage =
	| { readonly stream: string }
	| { readonly aux: { readonly ID: string } }
	| { readonly errorDetail: { readonly code?: number; readonly message: string }; readonly error: string }
	| ProgressMessage;

/** Where the context comes from: the request's body, or an address. */
export type ClassicSource =
	| { readonly kind: "archive"; readonly archive: Readable }
	| { readonly kind: "remote"; readonly url: string };

export interface ClassicOptions {
	readonly source: ClassicSource;
	/** Everything but the context. */
	readonly request: Omit<BuildRequest, "context">;
	/** Images whose steps may be used again; nothing else is then. Any when empty. */
	readonly cacheFrom: readonly string[];
	/** The image's ID and nothing else. */
	readonly quiet: boolean;
	/** Say that intermediate containers were removed. */
	readonly removesContainers: boolean;
}

export interface ClassicBuildsDependencies extends BuildServiceDependencies {
	readonly contexts: WholeContexts;
}

/** Builds as the classic API has them: one step after the other, told in lines of text. */
export class ClassicBuilds {
	readonly #deps: ClassicBuildsDependencies;
	readonly #writer: ImageWriter;
	/** By the ID the client chose. */
	readonly #running = new Map<string, AbortController>();

	constructor(deps: ClassicBuildsDependencies) {
		this.#deps = deps;
		this.#writer = new ImageWriter(deps.images.workshop, deps.cache);
	}

	/** Messages in Docker's words. Errors before the first message are thrown, those after it are the last message. */
	async *build(options: ClassicOptions, signal: AbortSignal): AsyncGenerator<ClassicMessage> {
		const queue = new MessageQueue<ClassicMessage>();
		const say = (message: ClassicMessage) => {
			if (!options.quiet) queue.say(message);
		};
		const work = (cancelled: AbortSignal) =>
			this.#identified(options, cancelled, (own) => this.#build(options, queue, say, own));
		let isFirst = true;
		try {
			for await (const message of queue.run(work, signal)) {
				isFirst = false;
				yield message;
			}
		} catch (error) {
			if (isFirst || errorKind(error) === "cancelled" || !(error instanceof EngineError)) throw error;
			yield failure(error);
		}
	}

	/** `POST /build/cancel`. One that is not there, or over, is success. */
	cancel(id: string): void {
		this.#running.get(id)?.abort();
	}

	/** The classic builder's cache never came from elsewhere: a name that is not here is passed over. */
	#isHere(name: string): boolean {
		try {
			this.#deps.images.resolve(name);
			return true;
		} catch (error) {
			if (error instanceof NotFoundError || error instanceof InvalidParameterError) return false;
			throw error;
		}
	}

	async #identified(
		{ request }: ClassicOptions,
		signal: AbortSignal,
		work: (signal: AbortSignal) => Promise<void>,
	): Promise<void> {
		const controller = new AbortController();
		if (request.id !== "") this.#running.set(request.id, controller);
		try {
			await this.#deps.running.run(AbortSignal.any([signal, controller.signal]), work);
		} finally {
			if (this.#running.get(request.id) === controller) this.#running.delete(request.id);
		}
	}

	async #build(
		options: ClassicOptions,
		queue: MessageQueue<ClassicMessage>,
		say: (message: ClassicMessage) => void,
		signal: AbortSignal,
	): Promise<void> {
		const { contexts, platform, cache } = this.#deps;
		const references = ImageWriter.references(options.request.tags);
		const { source } = options;
		await using owned =
			source.kind === "archive"
				? await contexts.fromArchive(source.archive, "classic", signal)
				: await contexts.fromUrl(source.url, { keepGitDir: false }, signal);
		const mayReuse = options.cacheFrom.length === 0 || options.cacheFrom.some((name) => this.#isHere(name));
		const request: BuildRequest = {
			...options.request,
			context: owned.context,
			...(mayReuse ? {} : { noCache: "all" as const }),
		};
		checkSupported(request);
		const definition = await readDefinition(request).catch((error: unknown) => {
			throw asClassicError(error, request);
		});
		const narrator = new LineNarrator(say, options.removesContainers, () => queue.ready());
		await using run = await BuildRun.begin(
			this.#deps,
			definition,
			request,
			{
				platforms: [request.platforms[0] ?? platform],
				narrator,
				resolving: (_reference, _platform, resolve) => resolve((message) => say(message)),
				// The classic stream has no place for warnings.
				onWarnings: () => {},
				onSync: () => {},
				hostname: "",
			},
			signal,
		);
		narrator.expect(run.plan.stages);
		for (const id of run.plan.stages.keys()) await run.stages.stage(id);
		const [outcome] = await run.stages.all();
		invariant(outcome !== undefined, "a build has a target");
		const { document, chain } = await run.image(outcome);
		const image = await this.#writer.write(document, chain, references);
		if (run.plan.unusedBuildArgs.length > 0)
			say({ stream: `[Warning] One or more build-args [${run.plan.unusedBuildArgs.join(" ")}] were not consumed\n` });
		say({ aux: { ID: image.id } });
		say({ stream: `Successfully built ${shortId(image.id)}\n` });
		for (const reference of references) say({ stream: `Successfully tagged ${familiar(reference)}\n` });
		if (options.quiet) queue.say({ stream: `${image.id}\n` });
		void cache.collect();
	}
}

/** What goes to standard error is red, whatever the client's terminal is. */
const RED = "\u001b[91m";
const PLAIN = "\u001b[0m";

/** `Step 1/9 : FROM …`, ` ---> …` and what commands print. */
class LineNarrator implements BuildNarrator {
	readonly #decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
	#total = 0;
	#number = 0;

	constructor(
		private readonly say: (message: ClassicMessage) => void,
		private readonly removesContainers: boolean,
		private readonly ready: () => Promise<void>,
	) {}

	expect(stages: ReadonlyMap<number, PlannedStage>): void {
		this.#total = [...stages.values()].reduce((sum, stage) => sum + 1 + stage.steps.length - triggersOf(stage), 0);
	}

	stageStarted(stage: PlannedStage, imageId: string | undefined): void {
		this.#announce(stage.fromText);
		const triggers = triggersOf(stage);
		// They belong to FROM, whose ID comes when all are done.
		if (triggers > 0) this.say({ stream: `# Executing ${triggers} build trigger${triggers === 1 ? "" : "s"}\n` });
		else this.say({ stream: stage.from.kind === "scratch" ? " ---> \n" : ` ---> ${shortId(imageId ?? "")}\n` });
	}

	stepStarted(stage: PlannedStage, step: PlannedStep, position: number) {
		const triggers = triggersOf(stage);
		if (position >= triggers) this.#announce(step.instruction);
		let container = "";
		return {
			cached: () => this.say({ stream: " ---> Using cache\n" }),
			running: (id: string) => {
				container = shortId(id);
				this.say({ stream: ` ---> Running in ${container}\n` });
			},
			output: async ({ stream, data }: { stream: 1 | 2; data: Uint8Array }) => {
				await this.ready();
				const text = this.#decoders[stream].decode(data, { stream: true });
				if (text !== "") this.say({ stream: stream === 2 ? `${RED}${text}${PLAIN}` : text });
			},
			ended: ({ imageId }: StepEnd) => {
				if (container !== "" && this.removesContainers)
					this.say({ stream: ` ---> Removed intermediate container ${container}\n` });
				if (position + 1 >= triggers) this.say({ stream: ` ---> ${shortId(imageId())}\n` });
			},
		};
	}

	#announce(instruction: string): void {
		this.#number++;
		this.say({ stream: `Step ${this.#number}/${this.#total} : ${instruction}` });
		this.say({ stream: "\n" });
	}
}

/** How many of its first steps are triggers of what it is FROM. */
function triggersOf({ steps }: PlannedStage): number {
	return steps.filter(({ range }) => range === undefined).length;
}

function asClassicError(error: unknown, { dockerfile }: BuildRequest): unknown {
	if (!(error instanceof NotFoundError) || dockerfile.kind === "text") return error;
	return new InvalidParameterError(`Cannot locate specified Dockerfile: ${dockerfile.path}`, { cause: error });
}

/** In the classic builder's words, which clients show as they are. */
function failure(error: EngineError): ClassicMessage {
	const message = failureText(error);
	const code = error instanceof BuildStepError ? error.step.exitCode : undefined;
	return { errorDetail: { ...(code === undefined ? {} : { code }), message }, error: message };
}

function failureText(error: EngineError): string {
	if (!(error instanceof BuildStepError)) return errorMessage(error);
	const { exitCode, instruction } = error.step;
	if (exitCode !== undefined) {
		const command = /^process "([\s\S]*)" did not complete successfully/.exec(error.message)?.[1] ?? instruction;
		return `The command '${command}' returned a non-zero code: ${exitCode}`;
	}
	const missing = /^"\/?(.*)": not found$/.exec(error.message)?.[1];
	if (missing === undefined) return error.message;
	const keyword = instruction.split(" ", 1)[0] ?? "COPY";
	return `${keyword} failed: file not found in build context or excluded by .dockerignore: stat ${missing}: file does not exist`;
}
