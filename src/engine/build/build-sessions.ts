import type { Readable } from "node:stream";
import { CancelledError, errorKind, errorMessage, NotImplementedError } from "../../base/errors.ts";
import type { Builder } from "../../core/build/builder.ts";
import { builderArguments } from "../../core/build/builder-arguments.ts";
import type { BuildContext } from "../../core/build/context.ts";
import type { ContextCopies } from "../../core/build/context-copy.ts";
import type { BuildEvent } from "../../core/build/progress.ts";
import type { BuildRequest, BuildResult, CacheSource, NamedContext } from "../../core/build/request.ts";
import {
	type BuildCall,
	type BuildFailure,
	type BuildReply,
	type ClientContext,
	type ClientNamedContext,
	parseBuildCall,
	type WireEvent,
} from "../../core/build/session/build-call.ts";
import type { DaemonCall } from "../../core/build/session/calls.ts";
import { type ByteTransport, SessionConnection } from "../../core/build/session/connection.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import { BuildStepError } from "../../core/build/step-error.ts";
import { SessionDirectory } from "./context-sync.ts";
import { EventQueue, type EventReceiver } from "./event-queue.ts";
import { type ContextPlaces, DirectoryContext } from "./kept-context.ts";
import { SessionQuestions } from "./session-questions.ts";

/** Contexts that do not come file by file. What they have on the disk goes when they are disposed. */
export interface WholeContexts {
	/** An archive, plain or compressed. @param name stands for it in later builds */
	fromArchive(archive: AsyncIterable<Uint8Array> | Readable, name: string, signal: AbortSignal): Promise<OwnedContext>;
	/** A git repository, or an archive or a Dockerfile by HTTP. */
	fromUrl(url: string, options: { readonly keepGitDir: boolean }, signal: AbortSignal): Promise<OwnedContext>;
}

export interface OwnedContext extends AsyncDisposable {
	readonly context: BuildContext;
}

export interface BuildSessionDependencies {
	readonly builder: Builder;
	readonly places: ContextPlaces;
	readonly copies: ContextCopies;
	readonly wholeContexts: WholeContexts;
}

/** Builds of clients that speak `core/build/session`: one connection each, over which the builder asks for what it needs. */
export class BuildSessions {
	constructor(private readonly deps: BuildSessionDependencies) {}

	/** Serves one connection until it ends. What still builds then is cancelled. */
	async serve(transport: ByteTransport): Promise<void> {
		const builds = new Set<Promise<void>>();
		const connection: SessionConnection = new SessionConnection(transport, "daemon", (stream) => {
			const build = this.#build(stream, (call) => connection.open(call));
			builds.add(build);
			return build.finally(() => builds.delete(build));
		});
		try {
			await connection.run();
		} finally {
			await Promise.allSettled(builds);
		}
	}

	async #build(stream: SessionStream, ask: (call: DaemonCall) => Promise<SessionStream>): Promise<void> {
		const call = parseBuildCall(stream.call);
		const events = new EventQueue(sessionEvents(stream));
		const signal = cancelledBy(stream);
		let reply: BuildReply;
		try {
			await using owned = new AsyncDisposableStack();
			const request = await this.#request(call, { ask, owned, signal });
			reply = { result: plainResult(await this.deps.builder.build(request, events, signal)) };
		} catch (error) {
			reply = { failure: failureOf(error) };
		}
		await events.close();
		await stream.send(reply);
		await stream.end();
	}

	async #request(
		call: BuildCall,
		{ ask, owned, signal }: { ask: Ask; owned: AsyncDisposableStack; signal: AbortSignal },
	): Promise<BuildRequest> {
		const buildArgs = new Map(Object.entries(call.buildArgs));
		const { keepGitDir } = builderArguments(buildArgs);
		const open = (context: ClientContext) => this.#context(context, { ask, owned, keepGitDir, signal });
		const namedContexts = new Map<string, NamedContext>();
		for (const [name, context] of Object.entries(call.namedContexts))
			namedContexts.set(name, await this.#namedContext(context, open));
		const { method: _, context, sourceDateEpoch, cacheFrom: clientCaches, ...plain } = call;
		const cacheFrom: CacheSource[] = [];
		for (const { context, ...endpoint } of clientCaches)
			cacheFrom.push(context === undefined ? endpoint : { ...endpoint, context: await open(context) });
		return {
			...plain,
			context: context === null ? undefined : await open(context),
			namedContexts,
			cacheFrom,
			buildArgs,
			labels: new Map(Object.entries(call.labels)),
			allow: new Set(call.allow),
			sourceDateEpoch: sourceDateEpoch ?? undefined,
			session: new SessionQuestions(ask),
		};
	}

	async #namedContext(
		context: ClientNamedContext,
		open: (context: ClientContext) => Promise<BuildContext>,
	): Promise<NamedContext> {
		if (context.kind === "directory" || context.kind === "tar")
			return { kind: "context", context: await open(context) };
		if (context.kind === "layout") return { ...context, context: await open(context.context) };
		return context;
	}

	async #context(
		context: ClientContext,
		{
			ask,
			owned,
			keepGitDir,
			signal,
		}: { ask: Ask; owned: AsyncDisposableStack; keepGitDir: boolean; signal: AbortSignal },
	): Promise<BuildContext> {
		const { places, copies, wholeContexts } = this.deps;
		switch (context.kind) {
			case "directory":
				return new DirectoryContext(new SessionDirectory(context, ask), { places, copies });
			case "tar": {
				const stream = await ask({ method: "context.tar", context: context.name });
				await stream.end();
				return owned.use(await wholeContexts.fromArchive(stream.data(), context.name, signal)).context;
			}
			case "git":
			case "http":
				return owned.use(await wholeContexts.fromUrl(context.url, { keepGitDir }, signal)).context;
		}
	}
}

/** Events as the client of a session gets them. */
export function sessionEvents(stream: SessionStream): EventReceiver {
	return {
		ready: () => stream.ready(),
		send: (events) => stream.send({ events: events.map(wireEvent) }),
	};
}

function wireEvent(event: BuildEvent): WireEvent {
	if (event.kind !== "log") return event;
	return { kind: "log", log: { ...event.log, data: Buffer.from(event.log.data).toString("base64") } };
}

/** A client that has gone, and one that ends its side: it waits to hear that everything has stopped. */
function cancelledBy(stream: SessionStream): AbortSignal {
	const abort = new AbortController();
	const cancel = () => abort.abort(new CancelledError("canceled"));
	stream.read().then(cancel, cancel);
	return abort.signal;
}

type Ask = (call: DaemonCall) => Promise<SessionStream>;

/** Until something else is given: contexts that are sent file by file are the only ones. */
export const NO_WHOLE_CONTEXTS: WholeContexts = {
	fromArchive: () => Promise.reject(new NotImplementedError("builds from archives are not available yet")),
	fromUrl: () => Promise.reject(new NotImplementedError("builds from URLs are not available yet")),
};

function plainResult({ images, ...rest }: BuildResult) {
	return { ...rest, images: Object.fromEntries(images) };
}

function failureOf(error: unknown): BuildFailure {
	return {
		kind: errorKind(error),
		message: errorMessage(error),
		...(error instanceof BuildStepError ? { step: error.step } : {}),
	};
}
