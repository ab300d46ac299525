import type { Readable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import { chainId } from "../../core/image/chain-id.ts";
import type { ImageStore, LayerBlob, LayerRecord } from "../../core/image/image-record.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { LayerUsage } from "../../core/system/disk-usage.ts";
import { FinishedLayers } from "./finished-layers.ts";

export interface LayerRegistryDependencies {
	readonly store: ImageStore;
	readonly content: ContentStore;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
	readonly clock: Clock;
}

export interface UnpackRequest {
	readonly parent: Digest | undefined;
	/** The layer's tar, perhaps compressed. Asked for only when the layer is not there yet. */
	readonly open: () => Readable | Promise<Readable>;
	/** What the uncompressed tar must have as its digest. */
	readonly diffId?: Digest | undefined;
	readonly onProgress?: ((bytes: number) => void) | undefined;
	readonly tarLimitBytes?: number | undefined;
	/** The parent is being made: awaited before the layer is put on top of it. Only with `diffId`. */
	readonly parentReady?: Promise<unknown> | undefined;
	/** Runs the unpacking when there is room for it. */
	readonly schedule?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
	/** Asked when all is unpacked and before it shows. @throws when what was read is not what it should be */
	readonly verify?: (() => void) | undefined;
	/** See `LayerRecord`; `settle` ends it. The layer is kept as long, too, when it is the parent that fails. */
	readonly keepUntil?: number | undefined;
	/** More layers follow: the caller calls `flush` after the last one. */
	readonly isDeferred?: boolean | undefined;
}

/** A long pull's layers are to outlive the daemon, should it die before the end. */
const FLUSH_MS = 5000;

/** Base layers get around: what is remembered of each is bounded. */
const REPOSITORY_LIMIT = 16;
const BLOB_LIMIT = 4;

/** A tar without members: two zero blocks. */
const EMPTY_TAR_BYTES = 1024;

/** Keeps layers alive while an image is being put together from them. */
export class LayerLease implements Disposable {
	readonly #held: Digest[] = [];

	constructor(readonly counts: Map<Digest, number>) {}

	hold(chain: Digest): void {
		this.counts.set(chain, (this.counts.get(chain) ?? 0) + 1);
		this.#held.push(chain);
	}

	[Symbol.dispose](): void {
		for (const chain of this.#held.splice(0)) {
			const count = (this.counts.get(chain) ?? 1) - 1;
			if (count === 0) this.counts.delete(chain);
			else this.counts.set(chain, count);
		}
	}
}

/**
 * The unpacked layers, each stored once. A layer is known when its directory and its record are there. It lives as long as an image,
 * a container, a lease or another layer needs it.
 */
export class LayerRegistry {
	readonly #deps: LayerRegistryDependencies;
	readonly #layers = new Map<Digest, LayerRecord>();
	readonly #leases = new Map<Digest, number>();
	/** Committed, and not yet told to the store. */
	readonly #unsaved = new Set<Digest>();
	#retained: () => Iterable<Digest> = () => [];
	readonly #mutex = new KeyedMutex();
	#ingesting = 0;
	/** The deletion that runs; it never fails for good: what stays is found at the next start. */
	#sweep: Promise<void> = Promise.resolve();
	/** Assembly records that perhaps no layer has any more. */
	readonly #orphans = new Set<Digest>();
	readonly #finished = new FinishedLayers();

	constructor(deps: LayerRegistryDependencies) {
		this.#deps = deps;
		for (const layer of deps.store.layers())
			if (deps.snapshotter.has(layer.chainId)) this.#layers.set(layer.chainId, layer);
	}

	/** Layers that are needed apart from images and containers: the build cache's. */
	retain(chains: () => Iterable<Digest>): void {
		this.#retained = chains;
	}

	lease(): LayerLease {
		return new LayerLease(this.#leases);
	}

	/** Whether some operation under way needs it. */
	isLeased(chain: Digest): boolean {
		return this.#leases.has(chain);
	}

	/** Those that containers and operations under way need, whatever images and build cache there are. */
	held(): LayerRecord[] {
		return [...this.#stacks([...this.#deps.snapshotter.layersInUse(), ...this.#leases.keys()])];
	}

	get(chain: Digest): LayerRecord | undefined {
		return this.#layers.get(chain);
	}

	all(): LayerRecord[] {
		return [...this.#layers.values()];
	}

	/** Size of one layer, 0 for one that is gone. */
	sizeBytes(chain: Digest): number {
		return this.#layers.has(chain) ? this.#deps.snapshotter.usage(chain).sizeBytes : 0;
	}

	totalBytes(): number {
		return this.all().reduce((sum, { chainId }) => sum + this.sizeBytes(chainId), 0);
	}

	/** Sum of a stack's layers. */
	stackSizeBytes(chain: Digest | undefined): number {
		return this.stack(chain).reduce((sum, layer) => sum + this.sizeBytes(layer.chainId), 0);
	}

	/**
	 * Bytes of the layers of images, containers, operations under way and interrupted pulls, each once, and of those that only images have which nobody
	 * uses. What the build cache alone has is not among them.
	 */
	usage(images: Iterable<Digest | undefined>, usedImages: Iterable<Digest | undefined>): LayerUsage {
		const held = this.held();
		const sum = (layers: Iterable<LayerRecord>) =>
			[...layers].reduce((total, { chainId }) => total + this.sizeBytes(chainId), 0);
		const all = this.#stacks([...images, ...this.interrupted().map(({ chainId }) => chainId)]);
		const used = this.#stacks(usedImages);
		for (const layer of held) {
			all.add(layer);
			used.add(layer);
		}
		return { totalBytes: sum(all), reclaimableBytes: sum(all) - sum(used) };
	}

	/** Layers from the top down. */
	stack(chain: Digest | undefined): LayerRecord[] {
		const layers: LayerRecord[] = [];
		for (let current = chain; current !== undefined; ) {
			const layer = this.#layers.get(current);
			if (layer === undefined) break;
			layers.push(layer);
			current = layer.parent;
		}
		return layers;
	}

	/**
	 * Unpacks a layer on top of `parent`, or finds it. Two requests for the same layer unpack once. The lease holds the result.
	 * @throws InvalidParameterError for a broken archive, or one with another digest; nothing stays behind
	 */
	async unpack(request: UnpackRequest, lease: LayerLease): Promise<LayerRecord> {
		const { parent, diffId } = request;
		if (diffId === undefined) return this.#ingest(request, lease);
		const chain = chainId(parent, diffId);
		// Held before the wait: a collection in between must not take it away.
		lease.hold(chain);
		return this.#mutex.run(`unpack ${chain}`, () => this.#layers.get(chain) ?? this.#ingest(request, lease));
	}

	/**
	 * Makes a layer of what was changed in a writable snapshot, which is gone then. The lease holds it. It outlives the process, but
	 * a crash of the machine only after `flush`.
	 * @returns undefined when nothing was changed
	 */
	async commit(snapshotId: string, lease: LayerLease): Promise<LayerRecord | undefined> {
		const { applier, snapshotter } = this.#deps;
		const { parent, upperPath, lowerPaths, isWholeTree } = snapshotter.find(snapshotId);
		if (isWholeTree) {
			const open = () => applier.diff(upperPath, lowerPaths, { wholeTree: true });
			const layer = await this.unpack({ parent, open }, lease);
			await snapshotter.remove(snapshotId);
			return layer.tarSizeBytes <= EMPTY_TAR_BYTES ? undefined : layer;
		}
		const measured = await applier.measure(upperPath, parent === undefined ? [] : snapshotter.stack(parent));
		if (measured.isEmpty) {
			await snapshotter.remove(snapshotId);
			return undefined;
		}
		const { diffId, tarSizeBytes, contentSizeBytes: sizeBytes, inodes } = measured;
		const layer: LayerRecord = { chainId: chainId(parent, diffId), diffId, parent, tarSizeBytes, assembly: undefined };
		lease.hold(layer.chainId);
		return await this.#mutex.run(`commit ${layer.chainId}`, async () => {
			const known = this.#layers.get(layer.chainId);
			if (known !== undefined) await snapshotter.remove(snapshotId);
			else {
				await snapshotter.commit(snapshotId, layer.chainId, { sizeBytes, inodes });
				this.#layers.set(layer.chainId, layer);
				this.#unsaved.add(layer.chainId);
			}
			return known ?? layer;
		});
	}

	/** Resolves when every layer committed so far is on the disk, with its record. */
	flush(): Promise<void> {
		return this.#mutex.run("flush", async () => {
			const { content, snapshotter, store } = this.#deps;
			const chains = [...this.#unsaved];
			if (chains.length === 0) return;
			const current = () => chains.map((chain) => this.#layers.get(chain)).filter((layer) => layer !== undefined);
			await snapshotter.flush();
			await content.flush(current().flatMap(({ assembly }) => assembly ?? []));
			store.putLayers(current());
			for (const chain of chains) this.#unsaved.delete(chain);
		});
	}

	/** Remembers where a layer can be had in a compressed form. */
	noteBlob(chain: Digest, blob: Omit<LayerBlob, "repositories">, repository: string): void {
		const layer = this.#layers.get(chain);
		if (layer === undefined) return;
		const known = layer.blobs ?? [];
		const [first] = known;
		if (first?.digest === blob.digest && first.repositories[0] === repository) return;
		const same = known.find(({ digest }) => digest === blob.digest);
		const repositories = [repository, ...(same?.repositories ?? []).filter((name) => name !== repository)];
		const blobs = [
			{ ...blob, repositories: repositories.slice(0, REPOSITORY_LIMIT) },
			...known.filter(({ digest }) => digest !== blob.digest),
		];
		this.#replace([{ ...layer, blobs: blobs.slice(0, BLOB_LIMIT) }]);
	}

	/** An image has the stack: it is kept as long as that needs it, no longer. */
	settle(chain: Digest | undefined): void {
		this.#release(this.stack(chain));
	}

	/** What was kept of an unsuccessful pull, or of all of them, goes with the next collection. */
	async forget(isUnwanted: (layer: Pick<LayerRecord, "diffId" | "chainId">) => boolean = () => true): Promise<void> {
		this.#release(this.all().filter(isUnwanted));
		await this.#finished.drop(({ applied: { diffId } }) => isUnwanted({ diffId, chainId: diffId }));
		await this.#sweepAssemblies();
	}

	/** When the first of what unsuccessful pulls left is not kept any longer. */
	nextExpiry(): number | undefined {
		const ends = [...this.all(), ...this.#finished.all()].flatMap(({ keepUntil }) => keepUntil ?? []);
		return ends.length === 0 ? undefined : Math.min(...ends);
	}

	/** The layer's tar as it was unpacked. The reader compares its digest with the layer's. */
	tar(layer: LayerRecord): Readable {
		const { applier, snapshotter } = this.#deps;
		if (layer.assembly === undefined)
			return applier.diff(
				snapshotter.layerPath(layer.chainId),
				layer.parent === undefined ? [] : snapshotter.stack(layer.parent),
			);
		return applier.tar(snapshotter.layerPath(layer.chainId), layer.assembly);
	}

	/**
	 * Removes layers that neither one of `roots` (top chain IDs of images) nor a container or a lease needs.
	 * @returns the removed ones, topmost first, with their sizes
	 */
	async collect(
		roots: () => Iterable<Digest | undefined>,
	): Promise<{ readonly chainId: Digest; readonly sizeBytes: number }[]> {
		return this.#mutex.run("collect", async () => {
			const removed: { chainId: Digest; sizeBytes: number }[] = [];
			const needed = () => this.#needed([...roots(), ...this.#kept()]);
			if ((await this.#finished.drop(({ keepUntil }) => keepUntil <= this.#deps.clock.now())) > 0)
				await this.#sweepAssemblies();
			for (const layer of this.#unneeded(needed())) {
				const sizeBytes = this.sizeBytes(layer.chainId);
				// Somebody may have come to need it while another one was being removed.
				const isNeeded = () => needed().has(layer.chainId);
				if (await this.#remove(layer, isNeeded)) removed.push({ chainId: layer.chainId, sizeBytes });
			}
			return removed;
		});
	}

	/** Forgets records whose directories are gone or were never finished, and directories without records. At start. */
	async cleanUp(roots: readonly (Digest | undefined)[], containers: ReadonlySet<string>): Promise<void> {
		const { store, snapshotter } = this.#deps;
		for (const layer of store.layers()) if (!snapshotter.has(layer.chainId)) store.deleteLayer(layer.chainId);
		// Containers first: what only a removed one stood on goes, too.
		await snapshotter.cleanUp({ layers: new Set(this.#layers.keys()), containers });
		const needed = this.#needed([...roots, ...this.#kept()]);
		for (const layer of this.#unneeded(needed)) await this.#remove(layer, () => this.#leases.has(layer.chainId));
	}

	/** Blobs that layers need. */
	assemblies(): Digest[] {
		return this.all().flatMap((layer) => (layer.assembly === undefined ? [] : [layer.assembly]));
	}

	async #ingest(request: UnpackRequest, lease: LayerLease): Promise<LayerRecord> {
		const { snapshotter, applier } = this.#deps;
		this.#ingesting++;
		// What is just being deleted might be what this one makes.
		await this.#sweep;
		const { diffId, keepUntil, onProgress, tarLimitBytes, schedule = (work) => work() } = request;
		const isStacked = request.parentReady !== undefined;
		const finished = isStacked && diffId !== undefined ? this.#finished.take(diffId) : undefined;
		const firstParent = isStacked ? undefined : request.parent;
		const begun = finished === undefined ? snapshotter.beginIngest(firstParent) : Promise.resolve(finished.ingest);
		const ingest = await begun.catch((error: unknown) => {
			this.#ingesting--;
			throw error;
		});
		let isKept = false;
		try {
			const apply = async () => applier.apply(await request.open(), ingest.path, { diffId, onProgress, tarLimitBytes });
			const applied = finished?.applied ?? (await schedule(apply));
			this.#orphans.add(applied.assembly);
			request.verify?.();
			try {
				await request.parentReady;
			} catch (error) {
				isKept = keepUntil !== undefined;
				if (keepUntil !== undefined) await this.#finished.keep({ ingest, applied, keepUntil });
				throw error;
			}
			const layer: LayerRecord = {
				chainId: chainId(request.parent, applied.diffId),
				diffId: applied.diffId,
				parent: request.parent,
				tarSizeBytes: applied.tarSizeBytes,
				assembly: applied.assembly,
				keepUntil,
			};
			lease.hold(layer.chainId);
			await this.#mutex.run(`commit ${layer.chainId}`, async () => {
				if (this.#layers.has(layer.chainId)) return;
				const usage = { sizeBytes: applied.contentSizeBytes, inodes: applied.inodes };
				await ingest.commit(layer.chainId, layer.parent, usage);
				if (this.#unsaved.size === 0) this.#flushLater();
				this.#layers.set(layer.chainId, layer);
				this.#unsaved.add(layer.chainId);
			});
			if (request.isDeferred !== true) await this.flush();
			return this.#layers.get(layer.chainId) ?? layer;
		} finally {
			this.#ingesting--;
			if (!isKept) await ingest.abort();
			await this.#sweepAssemblies();
		}
	}

	#flushLater(): void {
		this.#deps.clock.after(FLUSH_MS, () => {
			// Whoever needs the layers flushes them, too, and hears of it.
			this.flush().catch(() => {});
		});
	}

	/** Layers of unsuccessful pulls that stay for a while though nothing needs them. */
	interrupted(): LayerRecord[] {
		const now = this.#deps.clock.now();
		return this.all().filter(({ keepUntil = 0 }) => keepUntil > now);
	}

	#kept(): Digest[] {
		return this.interrupted().map(({ chainId }) => chainId);
	}

	#release(layers: readonly LayerRecord[]): void {
		const next = layers
			.filter(({ keepUntil }) => keepUntil !== undefined)
			.map((layer): LayerRecord => ({ ...layer, keepUntil: undefined }));
		if (next.length > 0) this.#replace(next);
	}

	/** Those that are not in the store yet get there with the next flush. */
	#replace(layers: readonly LayerRecord[]): void {
		const saved = layers.filter(({ chainId }) => !this.#unsaved.has(chainId));
		if (saved.length > 0) this.#deps.store.putLayers(saved);
		for (const layer of layers) this.#layers.set(layer.chainId, layer);
	}

	/** @returns whether it has gone: nobody needed it at the moment of its removal */
	async #remove(layer: LayerRecord, isNeeded: () => boolean): Promise<boolean> {
		const isRemoved = await this.#mutex.run(`commit ${layer.chainId}`, async () => {
			if (isNeeded()) return false;
			this.#layers.delete(layer.chainId);
			this.#unsaved.delete(layer.chainId);
			this.#deps.store.deleteLayer(layer.chainId);
			await this.#deps.snapshotter.removeLayer(layer.chainId);
			if (layer.assembly !== undefined) this.#orphans.add(layer.assembly);
			return true;
		});
		await this.#sweepAssemblies();
		return isRemoved;
	}

	/** The same tar on two parents has one assembly record, and an ingest may just be about to need one: only in quiet moments. */
	#sweepAssemblies(): Promise<void> {
		if (this.#ingesting === 0) this.#sweep = this.#sweep.then(() => this.#deleteOrphans());
		return this.#sweep;
	}

	async #deleteOrphans(): Promise<void> {
		if (this.#ingesting > 0) return;
		const finished = this.#finished.all().map(({ applied }) => applied.assembly);
		const used = new Set([...this.assemblies(), ...finished]);
		const unused = [...this.#orphans].filter((digest) => !used.has(digest));
		this.#orphans.clear();
		// They may yet be dropped.
		for (const digest of finished) this.#orphans.add(digest);
		await Promise.allSettled(unused.map((digest) => this.#deps.content.delete(digest)));
	}

	#stacks(chains: Iterable<Digest | undefined>): Set<LayerRecord> {
		return new Set([...chains].flatMap((chain) => this.stack(chain)));
	}

	#needed(roots: Iterable<Digest | undefined>): ReadonlySet<Digest> {
		const needed = new Set<Digest>();
		for (const root of [...roots, ...this.#deps.snapshotter.layersInUse(), ...this.#leases.keys(), ...this.#retained()])
			for (const layer of this.stack(root)) needed.add(layer.chainId);
		return needed;
	}

	/** Children before their parents. */
	#unneeded(needed: ReadonlySet<Digest>): LayerRecord[] {
		const depth = (layer: LayerRecord) => this.stack(layer.chainId).length;
		return this.all()
			.filter((layer) => !needed.has(layer.chainId))
			.sort((a, b) => depth(b) - depth(a));
	}
}
