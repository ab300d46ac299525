import type { Digest } from "../../base/digest.ts";
import type { BuildContext, ContextSelection, SyncedContext } from "../../core/build/context.ts";
import type { ContextCopies, ContextCopy } from "../../core/build/context-copy.ts";

/** A place for the copy of a context, this build's alone until it is released. */
export interface ContextPlace {
	readonly directory: string;
	/** @param sizeBytes of what is in it now; undefined when that is as before, or not known */
	release(sizeBytes: number | undefined): void;
}

/** Gives places for copies; the one of an earlier build of the same context where it is free. */
export interface ContextPlaces {
	acquire(key: string, description: string): ContextPlace;
}

/** Gives the client's side of a context: what it lists, and the contents that are asked for. */
export interface ContextSource {
	/** Stands for the same directory in later builds. */
	readonly key: string;
	/** For people. */
	readonly description: string;
	readFile: BuildContext["readFile"];
	/** Brings a copy up to date with what is selected. */
	update(
		copy: ContextCopy,
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress: ((transferredBytes: number) => void) | undefined,
	): Promise<void>;
}

export interface ContextKeeping {
	readonly places: ContextPlaces;
	readonly copies: ContextCopies;
}

/** A directory of the client's: what a build needs of it is brought up to date in a copy that later builds find again. */
export class DirectoryContext implements BuildContext {
	/** Copies that builds hold, by what was selected: steps that want the same share one. */
	readonly #synced = new Map<string, { holders: number; copy: Promise<HeldCopy> }>();

	constructor(
		private readonly source: ContextSource,
		private readonly keeping: ContextKeeping,
	) {}

	get key(): string {
		return this.source.key;
	}

	readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		return this.source.readFile(path, limitBytes);
	}

	async sync(
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress?: (transferredBytes: number) => void,
	): Promise<SyncedContext> {
		const key = JSON.stringify([selection.include, selection.exclude]);
		let entry = this.#synced.get(key);
		if (entry === undefined) {
			entry = { holders: 0, copy: this.#bring(selection, signal, onProgress) };
			this.#synced.set(key, entry);
		}
		const own = entry;
		own.holders++;
		const release = async () => {
			own.holders--;
			if (own.holders > 0) return;
			this.#synced.delete(key);
			await own.copy.then(
				(held) => held.release(),
				() => {}, // told to whoever waited for it, and released there
			);
		};
		try {
			return syncedView(await own.copy, release);
		} catch (error) {
			await release();
			throw error;
		}
	}

	async #bring(
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress: ((transferredBytes: number) => void) | undefined,
	): Promise<HeldCopy> {
		const { key, description } = this.source;
		const place = this.keeping.places.acquire(key, description);
		let copy: ContextCopy | undefined;
		try {
			copy = this.keeping.copies.open(place.directory);
			const opened = copy;
			const { revision } = copy;
			await this.source.update(copy, selection, signal, onProgress);
			const size = () => (opened.revision === revision ? undefined : opened.sizeBytes);
			return { copy, release: () => place.release(size()) };
		} catch (error) {
			place.release(copy?.sizeBytes);
			throw error;
		}
	}
}

interface HeldCopy {
	readonly copy: ContextCopy;
	release(): void;
}

function syncedView({ copy }: HeldCopy, release: () => Promise<void>): SyncedContext {
	let digests: Map<string, Digest | undefined> | undefined;
	let isReleased = false;
	return {
		directory: copy.directory,
		...(copy.revision === undefined ? {} : { revision: copy.revision }),
		digestOf(path) {
			digests ??= new Map(copy.entries().map((entry) => [entry.path, entry.digest]));
			return digests.get(path);
		},
		async [Symbol.asyncDispose]() {
			if (isReleased) return;
			isReleased = true;
			await release();
		},
	};
}
