import type { Descriptor } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import { CancelledError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import type { Pool } from "../../base/pool.ts";
import { chainIds } from "../../core/image/chain-id.ts";
import type { Fetcher } from "../../core/remotes/remote.ts";
import type { LayerLease } from "./layer-lease.ts";
import type { LayerRegistry } from "./layer-registry.ts";
import type { ProgressQueue } from "./progress-queue.ts";
import { fromAnyHost, type VerifiedStream, verified } from "./verified-stream.ts";

/** So much any layer may unpack to, and so many times its own size more: beyond it is a bomb. */
const FREE_TAR_BYTES = 4 * 2 ** 30;
const TAR_RATIO_LIMIT = 250;

/** How long layers of a pull that did not come to its end wait for the next one. */
export const KEEP_MS = 24 * 60 * 60 * 1000;

export interface WantedLayer {
	readonly descriptor: Descriptor;
	readonly diffId: Digest;
}

export interface LayerPullContext {
	readonly fetcher: Fetcher;
	/** Normalised name. */
	readonly repository: string;
	/** The image is here already: nothing is said of layers that are, too. */
	readonly isKnown: boolean;
	readonly progress: ProgressQueue;
	readonly signal: AbortSignal;
	/** Until when layers stay, should the pull end before it has all of them. Milliseconds since the epoch. */
	readonly keepUntil: number;
}

/**
 * Downloads and unpacks layers, each as one stream, side by side: a layer is put on its parent when both are complete. Of two pulls
 * that want the same layer one downloads it.
 */
export class LayerPuller {
	constructor(
		readonly layers: LayerRegistry,
		/** Of the whole daemon. */
		readonly downloads: Pool,
	) {}

	/**
	 * @returns the chain ID of the top; undefined for no layers
	 * @throws the first failure, when all others have stopped; nothing half-made stays behind
	 */
	async pull(
		wanted: readonly WantedLayer[],
		lease: LayerLease,
		context: LayerPullContext,
	): Promise<Digest | undefined> {
		const stop = new AbortController();
		const signal = AbortSignal.any([context.signal, stop.signal]);
		const chain = chainIds(wanted.map(({ diffId }) => diffId));
		const all: Promise<unknown>[] = [];
		let below: Promise<unknown> = Promise.resolve();
		let failure: unknown;
		for (const [position, layer] of wanted.entries()) {
			const parent = chain[position - 1];
			const made = this.#layer({ layer, parent, chainId: chain[position] ?? layer.diffId, below }, lease, {
				...context,
				signal,
			});
			below = made.catch((error: unknown) => {
				failure ??= error;
				stop.abort();
				throw error;
			});
			below.catch(() => {});
			all.push(below);
		}
		await Promise.allSettled(all);
		if (context.signal.aborted) throw new CancelledError();
		if (failure !== undefined) throw failure;
		await this.layers.flush();
		return chain.at(-1);
	}

	async #layer(place: LayerPlace, lease: LayerLease, context: LayerPullContext): Promise<void> {
		const { layer, chainId } = place;
		const { descriptor } = layer;
		const { progress, repository } = context;
		const id = shortId(descriptor.digest);
		const blob = {
			digest: descriptor.digest,
			sizeBytes: descriptor.size,
			mediaType: descriptor.mediaType,
			...(descriptor.urls === undefined || descriptor.urls === null ? {} : { urls: descriptor.urls }),
		};
		lease.hold(chainId);
		if (this.layers.get(chainId) !== undefined) {
			if (!context.isKnown) progress.state(id, "Already exists");
		} else {
			progress.state(id, "Pulling fs layer");
			let download: LayerDownload | undefined;
			const unpack = () => {
				download = new LayerDownload(id, blob, context);
				return this.#unpack(place, download, lease, context);
			};
			await fromAnyHost(context.fetcher, blob.digest, unpack, () => download?.mayBeWrong === true);
			progress.state(id, "Pull complete");
		}
		this.layers.noteBlob(chainId, blob, repository);
	}

	async #unpack(
		{ layer, parent, below }: LayerPlace,
		download: LayerDownload,
		lease: LayerLease,
		context: LayerPullContext,
	): Promise<void> {
		const request = {
			parent,
			diffId: layer.diffId,
			parentReady: below,
			tarLimitBytes: FREE_TAR_BYTES + TAR_RATIO_LIMIT * layer.descriptor.size,
			keepUntil: context.keepUntil,
			isDeferred: true,
			open: () => download.open(),
			verify: () => download.verify(),
			schedule: <T>(work: () => Promise<T>) => this.#schedule(work, download, context),
		};
		await abandonable(this.layers.unpack(request, lease), () => download.isOwn, context.signal);
	}

	#schedule<T>(work: () => Promise<T>, download: LayerDownload, { progress, signal }: LayerPullContext): Promise<T> {
		if (this.downloads.isFull) progress.state(download.id, "Waiting");
		return this.downloads.run(() => {
			if (signal.aborted) throw new CancelledError();
			download.isOwn = true;
			return work();
		});
	}
}

interface LayerPlace {
	readonly layer: WantedLayer;
	readonly parent: Digest | undefined;
	readonly chainId: Digest;
	/** Settles when the parent is there. */
	readonly below: Promise<unknown>;
}

class LayerDownload {
	#verified: VerifiedStream | undefined;
	/** It is this pull that downloads the layer. */
	isOwn = false;

	constructor(
		readonly id: string,
		readonly blob: { readonly digest: Digest; readonly sizeBytes: number; readonly urls?: readonly string[] },
		readonly context: LayerPullContext,
	) {}

	async open() {
		const { fetcher, progress, signal } = this.context;
		const { sizeBytes } = this.blob;
		this.#verified = verified(await fetcher.blob(this.blob, signal), this.blob, (bytes) => {
			progress.bar(this.id, "Downloading", bytes, sizeBytes);
			if (bytes < sizeBytes) return;
			progress.state(this.id, "Verifying Checksum");
			progress.state(this.id, "Download complete");
		});
		return this.#verified.stream;
	}

	/** Bytes came, and are not known to be the blob's. */
	get mayBeWrong(): boolean {
		return this.#verified !== undefined && !this.#verified.isRight();
	}

	verify(): void {
		this.#verified?.check();
		this.context.progress.bar(this.id, "Extracting", this.blob.sizeBytes, this.blob.sizeBytes);
	}
}

/**
 * The work, or its cancellation at once while it only waits for another pull's. What is done here is over when it has cleaned up,
 * which its own signal makes it do.
 */
async function abandonable<T>(work: Promise<T>, isOwn: () => boolean, signal: AbortSignal): Promise<T> {
	const { promise, reject } = Promise.withResolvers<never>();
	const cancel = () => {
		if (!isOwn()) reject(new CancelledError());
	};
	signal.addEventListener("abort", cancel, { once: true });
	if (signal.aborted) cancel();
	try {
		return await Promise.race([work, promise]);
	} finally {
		signal.removeEventListener("abort", cancel);
	}
}
