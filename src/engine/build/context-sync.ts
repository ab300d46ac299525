import { type Digest, digestHex, sha256 } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { BuildContext, ContextSelection, SyncedContext } from "../../core/build/context.ts";
import type { ContextCopies, ContextCopy } from "../../core/build/context-copy.ts";
import { decodeListing, MAX_LISTING_BYTES } from "../../core/build/context-listing.ts";
import { planContext } from "../../core/build/context-plan.ts";
import type { ClientContext } from "../../core/build/session/build-call.ts";
import type { DaemonCall, FileAnswer, ListAnswer } from "../../core/build/session/calls.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";

/** A place for the copy of a context, this build's alone until it is released. */
export interface ContextPlace {
	readonly directory: string;
	/** @param isChanged whether what is in it may have another size now */
	release(isChanged: boolean): void;
}

/** Gives places for copies; the one of an earlier build of the same context where it is free. */
export interface ContextPlaces {
	acquire(key: string, description: string): ContextPlace;
}

export interface ContextSyncPorts {
	readonly places: ContextPlaces;
	readonly copies: ContextCopies;
	/** Asks the client. */
	ask(call: DaemonCall): Promise<SessionStream>;
}

/** A directory of the client's: what a build needs of it is brought up to date in a copy that later builds find again. */
export class DirectoryContext implements BuildContext {
	/** Copies that builds hold, by what was selected: steps that want the same share one. */
	readonly #synced = new Map<string, { holders: number; copy: Promise<HeldCopy> }>();

	constructor(
		private readonly context: Extract<ClientContext, { kind: "directory" }>,
		private readonly ports: ContextSyncPorts,
	) {}

	get key(): string {
		return this.context.key;
	}

	async readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		const known = Object.hasOwn(this.context.files, path) ? this.context.files[path] : undefined;
		if (known === null) return undefined;
		if (known !== undefined) return Buffer.from(known);
		const stream = await this.ports.ask({ method: "context.file", context: this.context.name, path, limitBytes });
		await stream.end();
		const { exists } = (await stream.readJson()) as FileAnswer;
		if (!exists) return undefined;
		const bytes = await collect(stream, limitBytes);
		if (bytes === undefined) throw new InvalidParameterError(`${path} is larger than ${limitBytes} bytes`);
		return bytes;
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
		const { name, key, description } = this.context;
		const place = this.ports.places.acquire(key, description);
		try {
			const copy = this.ports.copies.open(place.directory);
			const { revision } = copy;
			const stream = await this.ports.ask({
				method: "context.list",
				context: name,
				include: selection.include,
				exclude: selection.exclude,
				knownDigest: copy.listingDigest ?? "",
			});
			const onAbort = () => stream.reset(signal.reason);
			signal.addEventListener("abort", onAbort, { once: true });
			try {
				if (signal.aborted) onAbort();
				await update(copy, stream, onProgress);
			} catch (error) {
				stream.reset(error);
				throw error;
			} finally {
				signal.removeEventListener("abort", onAbort);
			}
			return { copy, release: () => place.release(copy.revision !== revision) };
		} catch (error) {
			place.release(true);
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

/** Brings a copy up to date over the stream of a `context.list`. */
async function update(
	copy: ContextCopy,
	stream: SessionStream,
	onProgress: ((transferredBytes: number) => void) | undefined,
): Promise<void> {
	const { digest, listingBytes } = (await stream.readJson()) as ListAnswer;
	if (listingBytes === 0 && digest === copy.listingDigest) {
		await stream.end();
		return;
	}
	const listing = await readListing(stream, listingBytes);
	if (digestHex(sha256(listing)) !== digest) throw new InvalidParameterError("malformed listing of a build context");
	const listed = decodeListing(listing);
	const plan = planContext(copy.entries(), listed);
	const wanted = new Uint32Array(plan.wanted);
	await stream.write(new Uint8Array(wanted.buffer));
	await stream.end();
	await copy.change({
		listed,
		plan,
		listingDigest: digest,
		contents: stream.data(),
		...(onProgress === undefined ? {} : { onProgress }),
	});
}

/** The listing's bytes: as many as were announced, for the contents follow on the same stream. */
async function readListing(stream: SessionStream, lengthBytes: number): Promise<Uint8Array> {
	if (!(lengthBytes >= 0 && lengthBytes <= MAX_LISTING_BYTES))
		throw new InvalidParameterError("the build context has too many files");
	const parts: Uint8Array[] = [];
	for (let have = 0; have < lengthBytes; ) {
		const message = await stream.read();
		if (message?.kind !== "data" || have + message.data.length > lengthBytes)
			throw new InvalidParameterError("malformed listing of a build context");
		parts.push(message.data);
		have += message.data.length;
	}
	return Buffer.concat(parts);
}

/** The rest of a stream; undefined when it is longer than allowed. */
export async function collect(stream: SessionStream, limitBytes: number): Promise<Uint8Array | undefined> {
	const parts: Uint8Array[] = [];
	let total = 0;
	for await (const part of stream.data()) {
		total += part.length;
		if (total > limitBytes) {
			stream.reset();
			return undefined;
		}
		parts.push(part);
	}
	return Buffer.concat(parts);
}
