import type { Readable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import type { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import type { FreshFiles } from "../../core/diff/fresh-files.ts";
import { chainId } from "../../core/image/chain-id.ts";
import type { LayerRecord } from "../../core/image/image-record.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { AssemblyRecords } from "./assembly-records.ts";
import type { FinishedLayers } from "./finished-layers.ts";
import type { LayerLease } from "./layer-lease.ts";
import type { LayerTable } from "./layer-table.ts";

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

export interface LayerUnpackerDependencies {
	readonly table: LayerTable;
	readonly finished: FinishedLayers;
	readonly assemblies: AssemblyRecords;
	readonly content: ContentStore;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
	readonly clock: Clock;
	/** `commit <chain ID>`: the layer is being made or removed. */
	readonly mutex: KeyedMutex;
}

/** A long pull's layers are to outlive the daemon, should it die before the end. */
const FLUSH_MS = 5000;

/** A tar without members: two zero blocks. */
const EMPTY_TAR_BYTES = 1024;

/** Makes layers: of archives, and of what was changed in writable snapshots. */
export class LayerUnpacker {
	readonly #deps: LayerUnpackerDependencies;

	constructor(deps: LayerUnpackerDependencies) {
		this.#deps = deps;
	}

	/** See `LayerRegistry.unpack`. */
	async unpack(request: UnpackRequest, lease: LayerLease): Promise<LayerRecord> {
		const { table, mutex } = this.#deps;
		const { parent, diffId } = request;
		if (diffId === undefined) return this.#ingest(request, lease);
		const chain = chainId(parent, diffId);
		// Held before the wait: a collection in between must not take it away.
		lease.hold(chain);
		return mutex.run(`unpack ${chain}`, () => table.get(chain) ?? this.#ingest(request, lease));
	}

	/** See `LayerRegistry.commit`. */
	async commit(snapshotId: string, lease: LayerLease, fresh?: FreshFiles): Promise<LayerRecord | undefined> {
		const { applier, snapshotter, table, mutex } = this.#deps;
		const { parent, upperPath, lowerPaths, isWholeTree } = snapshotter.find(snapshotId);
		if (isWholeTree) {
			const open = () => applier.diff(upperPath, lowerPaths, { wholeTree: true });
			const layer = await this.unpack({ parent, open }, lease);
			await snapshotter.remove(snapshotId);
			return layer.tarSizeBytes <= EMPTY_TAR_BYTES ? undefined : layer;
		}
		const measured = await applier.measure(upperPath, parent === undefined ? [] : snapshotter.stack(parent), fresh);
		if (measured.isEmpty) {
			await snapshotter.remove(snapshotId);
			return undefined;
		}
		const { diffId, tarSizeBytes, tarChecksum, contentSizeBytes: sizeBytes, inodes } = measured;
		const layer: LayerRecord = {
			chainId: chainId(parent, diffId),
			diffId,
			parent,
			tarSizeBytes,
			tarChecksum,
			assembly: undefined,
			directoryTimes: true,
		};
		lease.hold(layer.chainId);
		return await mutex.run(`commit ${layer.chainId}`, async () => {
			const known = table.get(layer.chainId);
			if (known !== undefined) await snapshotter.remove(snapshotId);
			else {
				await snapshotter.commit(snapshotId, layer.chainId, { sizeBytes, inodes });
				table.add(layer);
			}
			return known ?? layer;
		});
	}

	/** Resolves when every layer committed so far is on the disk, with its record. */
	flush(): Promise<void> {
		const { content, snapshotter, table, mutex } = this.#deps;
		return mutex.run("flush", async () => {
			const layers = table.unsaved();
			if (layers.length === 0) return;
			await snapshotter.flush();
			await content.flush(layers.flatMap(({ assembly }) => assembly ?? []));
			table.save(layers.map(({ chainId }) => chainId));
		});
	}

	async #ingest(request: UnpackRequest, lease: LayerLease): Promise<LayerRecord> {
		const { snapshotter, applier, assemblies, finished: finishedLayers } = this.#deps;
		await assemblies.begin();
		const { diffId, keepUntil, onProgress, tarLimitBytes, schedule = (work) => work() } = request;
		const isStacked = request.parentReady !== undefined;
		const finished = isStacked && diffId !== undefined ? finishedLayers.take(diffId) : undefined;
		const firstParent = isStacked ? undefined : request.parent;
		const begun = finished === undefined ? snapshotter.beginIngest(firstParent) : Promise.resolve(finished.ingest);
		const ingest = await begun.catch((error: unknown) => {
			assemblies.end();
			throw error;
		});
		let isKept = false;
		try {
			const apply = async () => applier.apply(await request.open(), ingest.path, { diffId, onProgress, tarLimitBytes });
			const applied = finished?.applied ?? (await schedule(apply));
			assemblies.mayBeUnused(applied.assembly);
			request.verify?.();
			try {
				await request.parentReady;
			} catch (error) {
				isKept = keepUntil !== undefined;
				if (keepUntil !== undefined) await finishedLayers.keep({ ingest, applied, keepUntil });
				throw error;
			}
			const layer: LayerRecord = {
				chainId: chainId(request.parent, applied.diffId),
				diffId: applied.diffId,
				parent: request.parent,
				tarSizeBytes: applied.tarSizeBytes,
				tarChecksum: applied.tarChecksum,
				assembly: applied.assembly,
				keepUntil,
			};
			lease.hold(layer.chainId);
			const usage = { sizeBytes: applied.contentSizeBytes, inodes: applied.inodes };
			await this.#put(layer, () => ingest.commit(layer.chainId, layer.parent, usage));
			if (request.isDeferred !== true) await this.flush();
			return this.#deps.table.get(layer.chainId) ?? layer;
		} finally {
			assemblies.end();
			if (!isKept) await ingest.abort();
			await assemblies.sweep();
		}
	}

	/** Unless the layer has come to be there meanwhile. */
	async #put(layer: LayerRecord, commit: () => Promise<void>): Promise<void> {
		const { table, mutex, clock } = this.#deps;
		await mutex.run(`commit ${layer.chainId}`, async () => {
			if (table.get(layer.chainId) !== undefined) return;
			await commit();
			if (!table.add(layer)) return;
			clock.after(FLUSH_MS, () => {
				// Whoever needs the layers flushes them, too, and hears of it.
				this.flush().catch(() => {});
			});
		});
	}
}
