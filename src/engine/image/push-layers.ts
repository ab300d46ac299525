import type { Readable } from "node:stream";
import { type Descriptor, MEDIA_TYPE } from "../../api/oci/image.ts";
import { CancelledError, errorKind } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { Pool } from "../../base/pool.ts";
import type { LayerBlob, LayerRecord } from "../../core/image/image-record.ts";
import { placeOf } from "../../core/remotes/endpoint.ts";
import { isForeign } from "../../core/remotes/manifest.ts";
import type { Fetcher, Pusher, RegistryCredentials, Remotes } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { CompressedLayer } from "./compressed-layer.ts";
import type { LayerRegistry } from "./layer-registry.ts";
import type { ProgressQueue } from "./progress-queue.ts";
import { fromAnyHost, verified } from "./verified-stream.ts";

export interface LayerPushContext {
	readonly pusher: Pusher;
	/** Normalised name of the target. */
	readonly repository: string;
	readonly credentials: RegistryCredentials | undefined;
	readonly progress: ProgressQueue;
	readonly signal: AbortSignal;
}

/**
 * Brings layers to a registry, with as few bytes as possible: what is there stays, what another repository of the same registry has
 * is mounted, what came from elsewhere is handed on as it was; only the rest is compressed.
 */
export class LayerPusher {
	readonly #mutex = new KeyedMutex();

	constructor(
		readonly layers: LayerRegistry,
		readonly remotes: Remotes,
		/** Of the whole daemon. */
		readonly uploads: Pool,
	) {}

	/**
	 * @param wanted the layer's form in the manifest that is to be pushed, if there is one
	 * @returns the form that is in the registry now; another one when `wanted` could not be had
	 */
	async push(layer: LayerRecord, wanted: Descriptor | undefined, context: LayerPushContext): Promise<Descriptor> {
		// An image may have the same layer twice, and two pushes may want the same.
		return this.#mutex.run(`${context.repository} ${layer.diffId}`, () => this.#push(layer, wanted, context));
	}

	async #push(layer: LayerRecord, wanted: Descriptor | undefined, context: LayerPushContext): Promise<Descriptor> {
		const id = shortId(layer.diffId);
		if (wanted !== undefined && isForeign(wanted) && (wanted.urls ?? []).length > 0) {
			context.progress.state(id, "Skipped foreign layer");
			return wanted;
		}
		const known = this.layers.get(layer.chainId)?.blobs ?? [];
		const blobs = wanted === undefined ? known : known.filter(({ digest }) => digest === wanted.digest);
		if (blobs.length === 0) this.layers.prepareCompression(layer);
		if (this.uploads.isFull) context.progress.state(id, "Waiting");
		return this.uploads.run(async () => {
			if (context.signal.aborted) throw new CancelledError();
			const descriptor =
				(await this.#reuse(blobs, id, context)) ??
				(await this.#handOn(blobs, id, context)) ??
				(await this.#compress(layer, id, context));
			const { digest, size, mediaType } = descriptor;
			this.layers.noteBlob(layer.chainId, { digest, sizeBytes: size, mediaType }, context.repository);
			return wanted?.digest === digest ? wanted : descriptor;
		});
	}

	/** Without a byte of it. */
	async #reuse(blobs: readonly LayerBlob[], id: string, context: LayerPushContext): Promise<Descriptor | undefined> {
		const { pusher, progress, signal, repository } = context;
		const { domain } = placeOf(repository);
		for (const blob of blobs) {
			if (await pusher.hasBlob(blob.digest, signal)) {
				progress.state(id, "Layer already exists");
				return descriptorOf(blob);
			}
			for (const source of blob.repositories) {
				const place = placeOf(source);
				if (place.domain !== domain || source === repository) continue;
				if (!(await pusher.mountBlob(blob.digest, place.path, signal))) continue;
				progress.state(id, `Mounted from ${place.path}`);
				return descriptorOf(blob);
			}
		}
		return undefined;
	}

	/** From the registry it was pulled from to the other one, so that it keeps its digest. */
	async #handOn(blobs: readonly LayerBlob[], id: string, context: LayerPushContext): Promise<Descriptor | undefined> {
		for (const blob of blobs)
			for (const source of blob.repositories) {
				if (source === context.repository) continue;
				try {
					await this.#transfer(blob, source, id, context);
					return descriptorOf(blob);
				} catch (error) {
					// The source is gone or keeps its layer to itself: it can still be made anew.
					if (!(error instanceof SourceError)) throw error;
				}
			}
		return undefined;
	}

	/** @throws SourceError when no host of the source has the right bytes */
	async #transfer(blob: LayerBlob, source: string, id: string, context: LayerPushContext): Promise<void> {
		const { progress, repository } = context;
		const sameHost = placeOf(source).domain === placeOf(repository).domain;
		const fetcher = await this.remotes.fetcher(source, sameHost ? context.credentials : undefined);
		await fromAnyHost(fetcher, blob.digest, async () => {
			const stream = new SourceStream(source, fetcher, blob, context.signal);
			// Before anything is begun at the target.
			await stream.begin();
			await context.pusher.uploadBlob(
				{
					digest: () => blob.digest,
					open: () => stream.bytes(),
					onProgress: (bytes) => progress.bar(id, "Pushing", bytes, blob.sizeBytes),
					onRetry: (seconds) => progress.state(id, retryText(seconds)),
				},
				context.signal,
			);
		});
		progress.state(id, "Pushed");
	}

	async #compress(layer: LayerRecord, id: string, context: LayerPushContext): Promise<Descriptor> {
		const { pusher, progress, signal } = context;
		const compressed = new CompressedLayer((options) => this.layers.compress(layer, options));
		await pusher.uploadBlob(
			{
				digest: () => compressed.digest,
				open: () => compressed.open((bytes) => progress.bar(id, "Pushing", bytes, layer.tarSizeBytes)),
				onRetry: (seconds) => progress.state(id, retryText(seconds)),
			},
			signal,
		);
		progress.state(id, "Pushed");
		return { mediaType: MEDIA_TYPE.dockerLayerGzip, digest: compressed.digest, size: compressed.sizeBytes };
	}
}

/** What fails at the source: none of it is the target's fault, and another try there would not help. */
class SourceError extends Error {}

/** A blob's bytes from where it came, verified. */
class SourceStream {
	#first: Readable | undefined;

	constructor(
		readonly source: string,
		readonly fetcher: Fetcher,
		readonly blob: LayerBlob,
		readonly signal: AbortSignal,
	) {}

	/** Waits for the source's answer. @throws SourceError, CancelledError */
	async begin(): Promise<void> {
		try {
			this.#first = verified(await this.fetcher.blob(this.blob, this.signal), this.blob).stream;
		} catch (cause) {
			throw this.#failure(cause);
		}
	}

	/** From the beginning, at each call. The iteration throws as `begin` does. */
	async *bytes(): AsyncGenerator<Uint8Array> {
		if (this.#first === undefined) await this.begin();
		const stream = this.#first;
		this.#first = undefined;
		try {
			if (stream !== undefined) yield* stream;
		} catch (cause) {
			throw this.#failure(cause);
		}
	}

	#failure(cause: unknown): unknown {
		const isTheirs = cause instanceof RemoteError || errorKind(cause) === "invalid-parameter";
		return isTheirs ? new SourceError(`${this.source} does not give layer ${this.blob.digest}`, { cause }) : cause;
	}
}

function descriptorOf({ mediaType, digest, sizeBytes, urls }: LayerBlob): Descriptor {
	return { mediaType, digest, size: sizeBytes, ...(urls === undefined ? {} : { urls: [...urls] }) };
}

function retryText(seconds: number): string {
	return `Retrying in ${seconds} second${seconds === 1 ? "" : "s"}`;
}
