import { ConflictError } from "../../base/errors.ts";
import type { VolumeRecord, VolumeStore } from "../../core/volume/volume-record.ts";

export class MemoryVolumeStore implements VolumeStore {
	readonly #records = new Map<string, VolumeRecord>();

	list(): VolumeRecord[] {
		return [...this.#records.values()].map((record) => structuredClone(record));
	}

	insert(record: VolumeRecord): void {
		if (this.#records.has(record.name))
			throw new ConflictError(`A volume named ${record.name} already exists. Choose a different volume name.`);
		this.#records.set(record.name, structuredClone(record));
	}

	delete(name: string): void {
		this.#records.delete(name);
	}
}
