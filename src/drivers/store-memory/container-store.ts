import { ConflictError, NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerStore } from "../../core/container/container-store.ts";

/** Keeps copies, as a store on disk would: what a caller does to its record later is not seen here. */
export class MemoryContainerStore implements ContainerStore {
	readonly #records = new Map<string, ContainerRecord>();

	list(): ContainerRecord[] {
		return [...this.#records.values()].map((record) => structuredClone(record));
	}

	insert(record: ContainerRecord): void {
		if (this.#records.has(record.id)) throw new ConflictError(`container ${record.id} exists already`);
		this.#checkName(record);
		this.#records.set(record.id, structuredClone(record));
	}

	update(record: ContainerRecord): void {
		const stored = this.#records.get(record.id);
		if (stored === undefined) throw new NotFoundError(`No such container: ${record.id}`);
		if (stored.version !== record.version - 1)
			throw new ConflictError(`container ${record.id} is at version ${stored.version}, not ${record.version - 1}`);
		this.#checkName(record);
		this.#records.set(record.id, structuredClone(record));
	}

	delete(id: string): void {
		this.#records.delete(id);
	}

	#checkName(record: ContainerRecord): void {
		if (record.lifecycle.kind === "removing") return;
		for (const other of this.#records.values())
			if (other.id !== record.id && other.name === record.name && other.lifecycle.kind !== "removing")
				throw new ConflictError(`the name ${record.name} is already in use`);
	}
}
