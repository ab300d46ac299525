import { ConflictError, NotFoundError } from "../../base/errors.ts";
import type { VolumeRecord, VolumeStore } from "../../core/volume/volume-record.ts";

export class MemoryVolumeStore implements VolumeStore {
	readonly #records = new Map<string, VolumeRecord>();

	list(): VolumeRecord[] {
		return [...this.#records.values()].map((record) => structuredClone(record));
	}

	insert(record: VolumeRecord): void {
		if (this.#records.has(record.name)) throw nameConflict(record.name);
		this.#records.set(record.name, structuredClone(record));
	}

	update(record: VolumeRecord): void {
		this.rename(record.name, record);
	}

	/** Keeps its place in the list. */
	rename(name: string, record: VolumeRecord): void {
		if (!this.#records.has(name)) throw new NotFoundError(`get ${name}: no such volume`);
		if (record.name !== name && this.#records.has(record.name)) throw nameConflict(record.name);
		const records = [...this.#records.values()].map((old) => (old.name === name ? structuredClone(record) : old));
		this.#records.clear();
		for (const each of records) this.#records.set(each.name, each);
	}

	delete(name: string): void {
		this.#records.delete(name);
	}
}

function nameConflict(name: string): ConflictError {
	return new ConflictError(`A volume named ${name} already exists. Choose a different volume name.`);
}
