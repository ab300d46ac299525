import { ConflictError } from "../../base/errors.ts";
import type { NetworkRecord } from "../../core/network/network-record.ts";
import type { NetworkStore } from "../../core/network/network-store.ts";

export class MemoryNetworkStore implements NetworkStore {
	readonly #records = new Map<string, NetworkRecord>();

	list(): NetworkRecord[] {
		return [...this.#records.values()].map((record) => structuredClone(record));
	}

	put(record: NetworkRecord): void {
		for (const other of this.#records.values())
			if (other.id !== record.id && other.name === record.name)
				throw new ConflictError(`network with name ${record.name} already exists`);
		this.#records.set(record.id, structuredClone(record));
	}

	delete(id: string): void {
		this.#records.delete(id);
	}
}
