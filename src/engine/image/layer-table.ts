import type { Digest } from "../../base/digest.ts";
import type { ImageStore, LayerBlob, LayerRecord } from "../../core/image/image-record.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";

/** Base layers get around: what is remembered of each is bounded. */
const REPOSITORY_LIMIT = 16;
const BLOB_LIMIT = 4;

/** The records of the layers that are there. Those of new ones reach the store when the layers themselves are on the disk. */
export class LayerTable {
	readonly #layers = new Map<Digest, LayerRecord>();
	/** Not yet told to the store. */
	readonly #unsaved = new Set<Digest>();

	constructor(
		readonly store: ImageStore,
		readonly snapshotter: Snapshotter,
	) {
		for (const layer of store.layers()) if (snapshotter.has(layer.chainId)) this.#layers.set(layer.chainId, layer);
	}

	get(chain: Digest): LayerRecord | undefined {
		return this.#layers.get(chain);
	}

	all(): LayerRecord[] {
		return [...this.#layers.values()];
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

	/** The layers of several stacks, each once. */
	stacks(chains: Iterable<Digest | undefined>): Set<LayerRecord> {
		return new Set([...chains].flatMap((chain) => this.stack(chain)));
	}

	/** Children before their parents. */
	topDown(isWanted: (layer: LayerRecord) => boolean): LayerRecord[] {
		const depth = (layer: LayerRecord) => this.stack(layer.chainId).length;
		return this.all()
			.filter(isWanted)
			.sort((a, b) => depth(b) - depth(a));
	}

	/** Size of one layer, 0 for one that is gone. */
	sizeBytes(chain: Digest): number {
		return this.#layers.has(chain) ? this.snapshotter.usage(chain).sizeBytes : 0;
	}

	/** One that has just been committed. @returns whether it is the first that waits to be saved */
	add(layer: LayerRecord): boolean {
		const isFirst = this.#unsaved.size === 0;
		this.#layers.set(layer.chainId, layer);
		this.#unsaved.add(layer.chainId);
		return isFirst;
	}

	/** Takes the record away, from the store, too. */
	remove(chain: Digest): void {
		this.#layers.delete(chain);
		this.#unsaved.delete(chain);
		this.store.deleteLayer(chain);
	}

	/** Forgets what the store has of layers whose directories are gone. */
	removeLost(): void {
		for (const { chainId } of this.store.layers()) if (!this.snapshotter.has(chainId)) this.store.deleteLayer(chainId);
	}

	unsaved(): LayerRecord[] {
		return [...this.#unsaved].flatMap((chain) => this.#layers.get(chain) ?? []);
	}

	/** As they are by now; those that have gone meanwhile stay gone. */
	save(chains: readonly Digest[]): void {
		this.store.putLayers(chains.flatMap((chain) => this.#layers.get(chain) ?? []));
		for (const chain of chains) this.#unsaved.delete(chain);
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

	/** They are kept no longer than something needs them. */
	release(layers: readonly LayerRecord[]): void {
		const next = layers
			.filter(({ keepUntil }) => keepUntil !== undefined)
			.map((layer): LayerRecord => ({ ...layer, keepUntil: undefined }));
		if (next.length > 0) this.#replace(next);
	}

	/** Those that are not in the store yet get there with the next flush. */
	#replace(layers: readonly LayerRecord[]): void {
		const saved = layers.filter(({ chainId }) => !this.#unsaved.has(chainId));
		if (saved.length > 0) this.store.putLayers(saved);
		for (const layer of layers) this.#layers.set(layer.chainId, layer);
	}
}
