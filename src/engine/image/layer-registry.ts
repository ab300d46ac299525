import type { Readable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { CompressOptions, LayerApplier, LayerSource } from "../../core/diff/archiver.ts";
import type { FreshFiles } from "../../core/diff/fresh-files.ts";
import type { ImageStore, LayerBlob, LayerRecord } from "../../core/image/image-record.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { LayerUsage } from "../../core/system/disk-usage.ts";
import { AssemblyRecords } from "./assembly-records.ts";
import { type FinishedLayer, FinishedLayers } from "./finished-layers.ts";
import { LayerLease } from "./layer-lease.ts";
import { LayerTable } from "./layer-table.ts";
import { LayerUnpacker, type UnpackRequest } from "./layer-unpacker.ts";

export interface LayerRegistryDependencies {
	readonly store: ImageStore;
	readonly content: ContentStore;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
	readonly clock: Clock;
}

/**
 * The unpacked layers, each stored once. A layer is known when its directory and its record are there. It lives as long as an image,
 * a container, a lease or another layer needs it.
 */
export class LayerRegistry {
	readonly #deps: LayerRegistryDependencies;
	readonly #table: LayerTable;
	readonly #unpacker: LayerUnpacker;
	readonly #assemblies: AssemblyRecords;
	readonly #finished = new FinishedLayers();
	readonly #leases = new Map<Digest, number>();
	readonly #mutex = new KeyedMutex();
	#retained: () => Iterable<Digest> = () => [];

	constructor(deps: LayerRegistryDependencies) {
		this.#deps = deps;
		this.#table = new LayerTable(deps.store, deps.snapshotter);
		this.#assemblies = new AssemblyRecords(deps.content, () => ({
			byLayers: this.assemblies(),
			byFinished: this.#finished.all().map(({ applied }) => applied.assembly),
		}));
		this.#unpacker = new LayerUnpacker({
			...deps,
			table: this.#table,
			finished: this.#finished,
			assemblies: this.#assemblies,
			mutex: this.#mutex,
		});
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
		return [...this.#table.stacks([...this.#deps.snapshotter.layersInUse(), ...this.#leases.keys()])];
	}

	get(chain: Digest): LayerRecord | undefined {
		return this.#table.get(chain);
	}

	all(): LayerRecord[] {
		return this.#table.all();
	}

	/** Layers from the top down. */
	stack(chain: Digest | undefined): LayerRecord[] {
		return this.#table.stack(chain);
	}

	/** Size of one layer, 0 for one that is gone. */
	sizeBytes(chain: Digest): number {
		return this.#table.sizeBytes(chain);
	}

	/** Of all layers, those that stand on nothing yet included. */
	totalBytes(): number {
		return this.#sum(this.all()) + this.#finished.totalBytes();
	}

	/** Sum of a stack's layers. */
	stackSizeBytes(chain: Digest | undefined): number {
		return this.#sum(this.stack(chain));
	}

	/**
	 * Bytes of the layers of images, containers, operations under way and interrupted pulls, each once, and of those that only images have which nobody
	 * uses. What the build cache alone has is not among them.
	 */
	usage(images: Iterable<Digest | undefined>, usedImages: Iterable<Digest | undefined>): LayerUsage {
		const held = this.held();
		const all = this.#table.stacks([...images, ...this.#kept()]);
		const used = this.#table.stacks(usedImages);
		for (const layer of held) {
			all.add(layer);
			used.add(layer);
		}
		const totalBytes = this.#sum(all) + this.#finished.totalBytes();
		return { totalBytes, reclaimableBytes: totalBytes - this.#sum(used) };
	}

	/**
	 * Unpacks a layer on top of `parent`, or finds it. Two requests for the same layer unpack once. The lease holds the result.
	 * @throws InvalidParameterError for a broken archive, or one with another digest; nothing stays behind
	 */
	unpack(request: UnpackRequest, lease: LayerLease): Promise<LayerRecord> {
		return this.#unpacker.unpack(request, lease);
	}

	/**
	 * Makes a layer of what was changed in a writable snapshot, which is gone then. The lease holds it. It outlives the process, but
	 * a crash of the machine only after `flush`.
	 * @param fresh of the files that were changed
	 * @returns undefined when nothing was changed
	 */
	commit(snapshotId: string, lease: LayerLease, fresh?: FreshFiles): Promise<LayerRecord | undefined> {
		return this.#unpacker.commit(snapshotId, lease, fresh);
	}

	/** Resolves when every layer committed so far is on the disk, with its record. */
	flush(): Promise<void> {
		return this.#unpacker.flush();
	}

	/** Remembers where a layer can be had in a compressed form. */
	noteBlob(chain: Digest, blob: Omit<LayerBlob, "repositories">, repository: string): void {
		this.#table.noteBlob(chain, blob, repository);
	}

	/** An image has the stack: it is kept as long as that needs it, no longer. */
	settle(chain: Digest | undefined): void {
		this.#table.release(this.stack(chain));
	}

	/** Layers of unsuccessful pulls that stay for a while though nothing needs them. */
	interrupted(): LayerRecord[] {
		const now = this.#deps.clock.now();
		return this.all().filter(({ keepUntil = 0 }) => keepUntil > now);
	}

	/** More of these: complete, and above one that is missing. */
	unstacked(): readonly FinishedLayer[] {
		return this.#finished.all();
	}

	/**
	 * What was kept of an unsuccessful pull, or of all of them, goes: what stands on nothing at once, the rest with the next collection.
	 * @param isUnwanted asked with the layer's own digest as `chainId` for what stands on nothing
	 * @returns bytes that went at once
	 */
	async forget(isUnwanted: (layer: Pick<LayerRecord, "diffId" | "chainId">) => boolean = () => true): Promise<number> {
		this.#table.release(this.all().filter(isUnwanted));
		const before = this.#finished.totalBytes();
		await this.#finished.drop(({ applied: { diffId } }) => isUnwanted({ diffId, chainId: diffId }));
		const freedBytes = before - this.#finished.totalBytes();
		await this.#assemblies.sweep();
		return Math.max(0, freedBytes);
	}

	/** When the first of what unsuccessful pulls left is not kept any longer. */
	nextExpiry(): number | undefined {
		const ends = [...this.all(), ...this.#finished.all()].flatMap(({ keepUntil }) => keepUntil ?? []);
		return ends.length === 0 ? undefined : Math.min(...ends);
	}

	/** The layer's tar as it was unpacked. The reader compares its digest with the layer's. */
	tar(layer: LayerRecord): Readable {
		const { applier } = this.#deps;
		const source = this.#source(layer);
		return "assembly" in source
			? applier.tar(source.directory, source.assembly)
			: applier.diff(source.directory, source.lowers, { directoryTimes: source.directoryTimes });
	}

	/** The layer is about to be compressed. */
	prepareCompression({ tarSizeBytes }: LayerRecord): void {
		this.#deps.applier.prepareCompression(tarSizeBytes);
	}

	/** As `LayerApplier.compress`. */
	compress(layer: LayerRecord, options: Pick<CompressOptions, "onRead">): AsyncIterable<Uint8Array> {
		const { diffId, tarSizeBytes, tarChecksum } = layer;
		return this.#deps.applier.compress(this.#source(layer), { ...options, tar: { diffId, tarSizeBytes, tarChecksum } });
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
				await this.#assemblies.sweep();
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
		this.#table.removeLost();
		const layers = new Set(this.all().map(({ chainId }) => chainId));
		// Containers first: what only a removed one stood on goes, too.
		await this.#deps.snapshotter.cleanUp({ layers, containers });
		const needed = this.#needed([...roots, ...this.#kept()]);
		for (const layer of this.#unneeded(needed)) await this.#remove(layer, () => this.#leases.has(layer.chainId));
	}

	/** Blobs that layers need. */
	assemblies(): Digest[] {
		return this.all().flatMap((layer) => (layer.assembly === undefined ? [] : [layer.assembly]));
	}

	#source({ chainId, parent, assembly, directoryTimes }: LayerRecord): LayerSource {
		const { snapshotter } = this.#deps;
		const directory = snapshotter.layerPath(chainId);
		if (assembly !== undefined) return { directory, assembly };
		return {
			directory,
			lowers: parent === undefined ? [] : snapshotter.stack(parent),
			directoryTimes: directoryTimes === true,
		};
	}

	#kept(): Digest[] {
		return this.interrupted().map(({ chainId }) => chainId);
	}

	#sum(layers: Iterable<LayerRecord>): number {
		return [...layers].reduce((total, { chainId }) => total + this.sizeBytes(chainId), 0);
	}

	/** @returns whether it has gone: nobody needed it at the moment of its removal */
	async #remove(layer: LayerRecord, isNeeded: () => boolean): Promise<boolean> {
		const isRemoved = await this.#mutex.run(`commit ${layer.chainId}`, async () => {
			if (isNeeded()) return false;
			this.#table.remove(layer.chainId);
			await this.#deps.snapshotter.removeLayer(layer.chainId);
			if (layer.assembly !== undefined) this.#assemblies.mayBeUnused(layer.assembly);
			return true;
		});
		await this.#assemblies.sweep();
		return isRemoved;
	}

	#needed(roots: Iterable<Digest | undefined>): ReadonlySet<Digest> {
		const all = [...roots, ...this.#deps.snapshotter.layersInUse(), ...this.#leases.keys(), ...this.#retained()];
		return new Set([...this.#table.stacks(all)].map(({ chainId }) => chainId));
	}

	#unneeded(needed: ReadonlySet<Digest>): LayerRecord[] {
		return this.#table.topDown(({ chainId }) => !needed.has(chainId));
	}
}
