import type { Digest } from "../../base/digest.ts";
import { CancelledError, InvalidParameterError } from "../../base/errors.ts";
import type { BuildContext, SyncedContext } from "../../core/build/context.ts";
import type { BuildPlan } from "../../core/build/plan/build-plan.ts";
import type { NamedContext } from "../../core/build/request.ts";
import { isRemoteSource } from "../../core/dockerfile/remote-source.ts";

/** The build's own context goes by an empty name. */
export interface ContextSources {
	readonly own: BuildContext | undefined;
	readonly named: ReadonlyMap<string, NamedContext>;
	/** Patterns of the own context's .dockerignore. */
	readonly ignore: readonly string[];
	/** For builds without a context. */
	readonly emptyDirectory: () => string;
}

export interface ContextTree {
	readonly directory: string;
	readonly ignore: readonly string[];
	readonly isImmutable: boolean;
	readonly digestOf: ((path: string) => Digest | undefined) | undefined;
	/** See `SyncedContext.revision`. */
	readonly revision: string | undefined;
}

/** Hears of each transfer when it begins, and says who hears how many bytes have come. */
export type OnSync = (
	name: string,
	work: Promise<unknown>,
	watch: (onProgress: (transferredBytes: number) => void) => void,
) => void;

const NOTHING: readonly string[] = [];

/** The contexts of one build on the daemon's disk: each is fetched once, with all that the steps can use. */
export class ContextFiles implements AsyncDisposable {
	readonly #sources: ContextSources;
	readonly #wanted: ReadonlyMap<string, readonly string[]>;
	readonly #synced = new Map<string, Promise<SyncedContext>>();
	readonly #onSync: OnSync;
	/** A build that has failed waits for no transfer. */
	readonly #ended = new AbortController();

	constructor(sources: ContextSources, plan: BuildPlan, onSync: OnSync) {
		this.#sources = sources;
		this.#wanted = wantedPaths(plan);
		this.#onSync = onSync;
	}

	/** Begins to fetch what the steps will ask for, while those run that need nothing of it. What fails is told to the step that asks. */
	begin(signal: AbortSignal): void {
		for (const name of this.#wanted.keys())
			if (name !== "" || this.#sources.own !== undefined) this.tree(name, signal).catch(() => {});
	}

	/** @throws InvalidParameterError when there is no such context, and what the transfer throws */
	async tree(name: string, signal: AbortSignal): Promise<ContextTree> {
		const context = this.#context(name);
		const ignore = name === "" ? this.#sources.ignore : NOTHING;
		if (context === undefined)
			return {
				directory: this.#sources.emptyDirectory(),
				ignore: NOTHING,
				isImmutable: false,
				digestOf: undefined,
				revision: undefined,
			};
		let synced = this.#synced.get(name);
		if (synced === undefined) {
			let onProgress = (_bytes: number) => {};
			const selection = { include: this.#wanted.get(name) ?? ["."], exclude: ignore };
			synced = context.sync(selection, AbortSignal.any([signal, this.#ended.signal]), (bytes) => onProgress(bytes));
			this.#synced.set(name, synced);
			this.#onSync(name, synced, (listener) => {
				onProgress = listener;
			});
		}
		const found = await synced;
		const { directory, isImmutable = false, revision } = found;
		return { directory, ignore, isImmutable, digestOf: found.digestOf?.bind(found), revision };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#ended.abort(new CancelledError("the build has ended"));
		const synced = [...this.#synced.values()];
		this.#synced.clear();
		for (const context of await Promise.allSettled(synced))
			if (context.status === "fulfilled") await context.value[Symbol.asyncDispose]();
	}

	#context(name: string): BuildContext | undefined {
		if (name === "") return this.#sources.own;
		const named = this.#sources.named.get(name) ?? this.#sources.named.get(name.toLowerCase());
		if (named?.kind === "context") return named.context;
		throw new InvalidParameterError(`there is no build context "${name}"`);
	}
}

/** Everything that steps may read of each context. */
function wantedPaths(plan: BuildPlan): Map<string, readonly string[]> {
	const wanted = new Map<string, Set<string>>();
	const want = (name: string, path: string) => {
		const paths = wanted.get(name) ?? new Set();
		paths.add(path.replace(/^\/+/, "") || ".");
		wanted.set(name, paths);
	};
	for (const stage of plan.stages.values()) {
		if (stage.from.kind === "context") want(stage.from.name, ".");
		for (const { action } of stage.steps) {
			if (action.kind === "copy" && action.source.kind === "context")
				for (const path of action.paths)
					if (!action.isAdd || !isRemoteSource(path)) want(action.source.name ?? "", path);
			if (action.kind === "run")
				for (const { mount, source } of action.mounts)
					if (source?.kind === "context") want(source.name ?? "", mount.source ?? ".");
		}
	}
	return new Map([...wanted].map(([name, paths]) => [name, [...paths]]));
}
