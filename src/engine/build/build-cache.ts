import { randomInt } from "node:crypto";
import type { Filters } from "../../api/engine/filters.ts";
import type { BuildCacheRecord } from "../../api/engine/system.ts";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { BuildDirectories } from "../../core/build/build-directories.ts";
import type { BuildStore, CacheKind, CacheRecord, StepResult } from "../../core/build/cache-record.ts";
import type { CacheRule } from "../../core/build/gc-rules.ts";
import { type PrunableRecord, type PruneLimits, planPrune } from "../../core/build/prune-plan.ts";
import { timestamp } from "../../core/image/timestamp.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";

export interface BuildCacheDependencies {
	readonly store: BuildStore;
	readonly directories: BuildDirectories;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** What the cache needs of images; they come after it. */
export interface CacheLayers {
	readonly layers: LayerRegistry;
	/** Layers that images have. */
	imageLayers(): ReadonlySet<Digest>;
	collectGarbage(): Promise<void>;
}

export interface PruneOutcome {
	readonly ids: readonly string[];
	readonly freedBytes: number;
}

export interface NewRecord {
	readonly kind: CacheKind;
	readonly description: string;
	readonly keys: readonly Digest[];
	readonly parents: readonly string[];
	readonly result?: StepResult;
	readonly isDirectory?: true;
}

/** Saved at the latest so long after a step has ended. */
const SAVE_DELAY_MS = 500;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const ID_LENGTH = 25;

/** Records stay in the cache while somebody holds them. */
export class CacheLease implements Disposable {
	readonly #held: string[] = [];

	constructor(readonly users: Map<string, number>) {}

	hold(id: string): void {
		this.users.set(id, (this.users.get(id) ?? 0) + 1);
		this.#held.push(id);
	}

	[Symbol.dispose](): void {
		for (const id of this.#held.splice(0)) {
			const count = (this.users.get(id) ?? 1) - 1;
			if (count === 0) this.users.delete(id);
			else this.users.set(id, count);
		}
	}
}

/**
 * Everything later builds may use again, in memory, and in the store a moment later: a record is saved after what it speaks of is on
 * the disk, so that a crash loses at most the cache of the last steps.
 */
export class BuildCache {
	readonly #deps: BuildCacheDependencies;
	readonly #records = new Map<string, CacheRecord>();
	readonly #byKey = new Map<Digest, string>();
	readonly #users = new Map<string, number>();
	readonly #changed = new Set<string>();
	readonly #removed = new Set<string>();
	/** Among what changed are records that the store does not have. */
	#hasNew = false;
	#images: CacheLayers | undefined;
	#rules: readonly CacheRule[] = [];
	#saving: Promise<void> = Promise.resolve();
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(deps: BuildCacheDependencies) {
		this.#deps = deps;
		for (const record of deps.store.records()) this.#remember(record);
	}

	/** Once, before anything is built. */
	attach(images: CacheLayers, rules: readonly CacheRule[]): void {
		this.#images = images;
		this.#rules = rules;
	}

	lease(): CacheLease {
		return new CacheLease(this.#users);
	}

	/** Layers that the cache keeps. */
	layers(): Digest[] {
		return [...this.#records.values()].flatMap(({ result }) => (result?.chainId === undefined ? [] : [result.chainId]));
	}

	/** The record with one of the keys, in use and its layers held from now on. The first key that is known counts. */
	find(
		keys: readonly Digest[],
		leases: { readonly cache: CacheLease; readonly layers: LayerLease },
	): CacheRecord | undefined {
		for (const key of keys) {
			const record = this.#records.get(this.#byKey.get(key) ?? "");
			if (record === undefined) continue;
			const chain = record.result?.chainId;
			if (chain !== undefined) {
				leases.layers.hold(chain);
				// Removed from under it, by a damaged disk perhaps.
				if (this.#images?.layers.get(chain) === undefined) continue;
			}
			leases.cache.hold(record.id);
			const known = keys.every((wanted) => record.keys.includes(wanted));
			return this.touch(record.id, known ? undefined : [...new Set([...record.keys, ...keys])]) ?? record;
		}
		return undefined;
	}

	/** A directory record by its key, made when missing; in use until the lease ends. */
	directory(key: Digest, kind: CacheKind, description: string, lease: CacheLease): { id: string; path: string } {
		const known = this.#records.get(this.#byKey.get(key) ?? "");
		const record = known ?? this.add({ kind, description, keys: [key], parents: [], isDirectory: true }, lease);
		if (known !== undefined) {
			lease.hold(known.id);
			this.touch(known.id);
		}
		return { id: record.id, path: this.#deps.directories.keep(record.id) };
	}

	knows(key: Digest): boolean {
		return this.#byKey.has(key);
	}

	get(id: string): CacheRecord | undefined {
		return this.#records.get(id);
	}

	/** Replaces what was found by the same keys. */
	add(record: NewRecord, lease: CacheLease): CacheRecord {
		const now = this.#deps.clock.now();
		const chain = record.result?.chainId;
		const sizeBytes =
			chain === undefined || record.result?.isEmpty === true ? 0 : (this.#images?.layers.sizeBytes(chain) ?? 0);
		const added: CacheRecord = {
			...record,
			id: newRecordId(),
			sizeBytes,
			createdAt: now,
			lastUsedAt: now,
			usageCount: 1,
		};
		lease.hold(added.id);
		const replaced = new Set(record.keys.map((key) => this.#byKey.get(key)).filter((id) => id !== undefined));
		this.#remember(added);
		this.#hasNew = true;
		this.#note(added.id);
		for (const id of replaced) this.#withoutKeys(id, new Set(record.keys));
		return added;
	}

	/** Another use of a record. */
	touch(id: string, keys?: readonly Digest[]): CacheRecord | undefined {
		const record = this.#records.get(id);
		if (record === undefined) return undefined;
		const touched: CacheRecord = {
			...record,
			...(keys === undefined ? {} : { keys }),
			lastUsedAt: this.#deps.clock.now(),
			usageCount: record.usageCount + 1,
		};
		this.#remember(touched);
		this.#note(id);
		return touched;
	}

	/** Measures a directory again, after it was used. */
	async measure(id: string): Promise<void> {
		this.resize(id, await this.#deps.directories.sizeBytes(id));
	}

	/** The directory has this size now. */
	resize(id: string, sizeBytes: number): void {
		const record = this.#records.get(id);
		if (record === undefined || record.sizeBytes === sizeBytes) return;
		this.#remember({ ...record, sizeBytes });
		this.#note(id);
	}

	/** Resolves when every record so far is in the store, and what it speaks of on the disk. @throws SystemError */
	save(): Promise<void> {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const next = this.#saving.then(() => this.#saveNow());
		// The next one tries the same again.
		this.#saving = next.catch(() => undefined);
		return next;
	}

	/**
	 * Resolves when everything that was made so far is on the disk, with its records. Of what was only used again the store hears later.
	 * @throws SystemError
	 */
	async settle(): Promise<void> {
		await this.#saving;
		if (this.#hasNew) await this.save();
		else await this.#images?.layers.flush();
	}

	/** For `system df` and `builder du`. */
	list(): BuildCacheRecord[] {
		return this.prunable().map((record) => ({
			ID: record.id,
			...(record.parents.length === 0 ? {} : { Parents: [...record.parents] }),
			Type: record.kind,
			Description: record.description,
			InUse: record.inUse,
			Shared: record.isShared,
			Size: record.sizeBytes,
			CreatedAt: timestamp(record.createdAt),
			LastUsedAt: timestamp(record.lastUsedAt),
			UsageCount: record.usageCount,
		}));
	}

	/** @throws InvalidParameterError for an unknown filter */
	async prune(request: PruneLimits & { readonly all: boolean; readonly filters: Filters }): Promise<PruneOutcome> {
		const chosen = planPrune(this.prunable(), {
			...request,
			freeBytes: this.#deps.directories.freeBytes(),
			now: this.#deps.clock.now(),
		});
		return await this.#remove(chosen);
	}

	/** The budget of the daemon's configuration, after a build. Failures are logged. */
	async collect(): Promise<void> {
		// The client hears of its build's end first.
		await new Promise((resolve) => setImmediate(resolve));
		try {
			for (const rule of this.#rules) await this.prune(rule);
		} catch (error) {
			this.#deps.logger.error("the build cache could not be pruned", { error: errorMessage(error) });
		}
	}

	/** At start: records whose layers are gone, and directories that no record has. After the layers were cleaned up. */
	async cleanUp(): Promise<void> {
		for (const record of [...this.#records.values()]) {
			const chain = record.result?.chainId;
			if (chain !== undefined && this.#images?.layers.get(chain) === undefined) this.#forget(record.id);
		}
		const kept = [...this.#records.values()].filter(({ isDirectory }) => isDirectory === true).map(({ id }) => id);
		await this.#deps.directories.cleanUp(new Set(kept));
		await this.save();
	}

	/** Saves what is not saved. */
	async close(): Promise<void> {
		await this.save();
	}

	async #remove(chosen: readonly PrunableRecord[]): Promise<PruneOutcome> {
		const gone = chosen.filter(({ id }) => !this.#users.has(id) && this.#records.has(id));
		for (const { id } of gone) this.#forget(id);
		if (gone.length === 0) return { ids: [], freedBytes: 0 };
		// The record goes before its files do.
		await this.save();
		for (const { id, isDirectory } of gone) if (isDirectory === true) await this.#deps.directories.remove(id);
		await this.#images?.collectGarbage();
		const freedBytes = gone.reduce((sum, record) => sum + (record.isShared ? 0 : record.sizeBytes), 0);
		return { ids: gone.map(({ id }) => id), freedBytes };
	}

	/** All records, with what a prune asks of them. */
	prunable(): PrunableRecord[] {
		const shared = this.#images?.imageLayers() ?? new Set();
		return [...this.#records.values()].map((record) => ({
			...record,
			inUse: this.#users.has(record.id),
			isShared: record.result?.chainId !== undefined && shared.has(record.result.chainId),
		}));
	}

	async #saveNow(): Promise<void> {
		const changed = [...this.#changed];
		const removed = [...this.#removed];
		const hadNew = this.#hasNew;
		this.#changed.clear();
		this.#removed.clear();
		this.#hasNew = false;
		try {
			await this.#images?.layers.flush();
			const records = changed.map((id) => this.#records.get(id)).filter((record) => record !== undefined);
			this.#deps.store.save(records, removed);
		} catch (error) {
			for (const id of changed) this.#changed.add(id);
			for (const id of removed) this.#removed.add(id);
			this.#hasNew ||= hadNew;
			throw error;
		}
	}

	#note(id: string): void {
		this.#changed.add(id);
		if (this.#timer !== undefined) return;
		this.#timer = setTimeout(() => {
			void this.save().catch((error: unknown) =>
				this.#deps.logger.error("the build cache could not be saved", { error: errorMessage(error) }),
			);
		}, SAVE_DELAY_MS);
		this.#timer.unref?.();
	}

	#remember(record: CacheRecord): void {
		this.#records.set(record.id, record);
		for (const key of record.keys) this.#byKey.set(key, record.id);
	}

	/** A newer record is found by them now. One that nothing leads to any more is still there for `prune`. */
	#withoutKeys(id: string, keys: ReadonlySet<Digest>): void {
		const record = this.#records.get(id);
		if (record === undefined) return;
		this.#records.set(id, { ...record, keys: record.keys.filter((key) => !keys.has(key)) });
		this.#changed.add(id);
	}

	#forget(id: string): void {
		const record = this.#records.get(id);
		if (record === undefined) return;
		this.#records.delete(id);
		for (const key of record.keys) if (this.#byKey.get(key) === id) this.#byKey.delete(key);
		this.#changed.delete(id);
		this.#removed.add(id);
	}
}

function newRecordId(): string {
	return Array.from({ length: ID_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}
