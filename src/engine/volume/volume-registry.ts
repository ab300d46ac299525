import { ConflictError, NotFoundError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { VolumeRecord, VolumeStore } from "../../core/volume/volume-record.ts";

/**
 * All volume records in memory, in step with the store: a change is on disk when the call returns. Work that changes a volume
 * runs alone under its name.
 */
export class VolumeRegistry {
	readonly #store: VolumeStore;
	readonly #records = new Map<string, VolumeRecord>();
	readonly #mutex = new KeyedMutex();

	constructor(store: VolumeStore) {
		this.#store = store;
	}

	/** Reads the store, once, at daemon start. */
	load(): void {
		for (const record of this.#store.list()) this.#records.set(record.name, record);
	}

	/** Those that are there, without the ones being made. */
	all(): VolumeRecord[] {
		return [...this.#records.values()].filter(({ making }) => making !== true);
	}

	/** Those that are still being made, or never will be. */
	unfinished(): VolumeRecord[] {
		return [...this.#records.values()].filter(({ making }) => making === true);
	}

	find(name: string): VolumeRecord | undefined {
		const record = this.#records.get(name);
		return record?.making === true ? undefined : record;
	}

	/** @throws NotFoundError */
	get(name: string): VolumeRecord {
		const record = this.find(name);
		if (record === undefined) throw noSuchVolume(name);
		return record;
	}

	/** @throws ConflictError when the name is taken, by one that is being made too */
	checkFree(name: string): void {
		if (this.#records.has(name))
			throw new ConflictError(`A volume named ${name} already exists. Choose a different volume name.`);
	}

	insert(record: VolumeRecord): void {
		this.checkFree(record.name);
		this.#store.insert(record);
		this.#records.set(record.name, record);
	}

	update(record: VolumeRecord): void {
		this.#store.update(record);
		this.#records.set(record.name, record);
	}

	rename(name: string, record: VolumeRecord): void {
		this.#store.rename(name, record);
		this.#records.delete(name);
		this.#records.set(record.name, record);
	}

	delete(name: string): void {
		this.#store.delete(name);
		this.#records.delete(name);
	}

	locked<T>(name: string, work: () => Promise<T> | T): Promise<T> {
		return this.#mutex.run(name, work);
	}

	/** Both names at once; always in the same order, so that two callers never wait for one another. */
	lockedBoth<T>(one: string, other: string, work: () => Promise<T>): Promise<T> {
		if (one === other) return this.locked(one, work);
		const [first = "", second = ""] = [one, other].sort();
		return this.locked(first, () => this.locked(second, work));
	}
}

export function noSuchVolume(name: string): NotFoundError {
	return new NotFoundError(`get ${name}: no such volume`);
}
