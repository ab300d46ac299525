import { InvalidParameterError, invariant, NotFoundError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerStore } from "../../core/container/container-store.ts";
import { nameConflict } from "../../core/container/name.ts";

/** What a use case may change of a record; the rest is immutable or the registry's own. */
export type RecordChange = Partial<Omit<ContainerRecord, "id" | "version" | "createdAt">>;

/**
 * All container records in memory, in step with the store: a change is on disk when the call returns. Use cases that change
 * a container run one at a time under its lock.
 */
export class ContainerRegistry {
	readonly #store: ContainerStore;
	readonly #records = new Map<string, ContainerRecord>();
	readonly #idByName = new Map<string, string>();
	/** Containers whose removal is certain and goes on in the background: nobody sees them any more. */
	readonly #hidden = new Map<string, ContainerRecord>();
	readonly #mutex = new KeyedMutex();

	constructor(store: ContainerStore) {
		this.#store = store;
	}

	/** Reads the store, once, at daemon start. */
	load(): void {
		const records = this.#store.list();
		for (const record of records) this.#remember(record);
		// One under removal has given its name up, perhaps to one that was made before it.
		for (const { id, name, lifecycle } of records) if (lifecycle.kind !== "removing") this.#idByName.set(name, id);
	}

	/** Visible containers, oldest first. */
	all(): ContainerRecord[] {
		return [...this.#records.values()];
	}

	/** By full ID, hidden ones too. */
	find(id: string): ContainerRecord | undefined {
		return this.#records.get(id) ?? this.#hidden.get(id);
	}

	/** By full ID, for callers that hold its lock and know that it exists. */
	get(id: string): ContainerRecord {
		const record = this.find(id);
		if (record === undefined) throw new NotFoundError(`No such container: ${id}`);
		return record;
	}

	isHidden(id: string): boolean {
		return this.#hidden.has(id);
	}

	/** @throws NotFoundError, InvalidParameterError when several IDs begin so */
	resolve(reference: string): ContainerRecord {
		const exact = this.#records.get(reference) ?? this.owner(reference.replace(/^\//, ""));
		if (exact !== undefined) return exact;
		if (reference === "") throw new InvalidParameterError("prefix can't be empty");
		const matches = [...this.#records.values()].filter((record) => record.id.startsWith(reference));
		if (matches.length > 1) throw new InvalidParameterError(`Multiple IDs found with provided prefix: ${reference}`);
		const [match] = matches;
		if (match === undefined) throw new NotFoundError(`No such container: ${reference}`);
		return match;
	}

	/** The container that has this name (without slash). */
	owner(name: string): ContainerRecord | undefined {
		const id = this.#idByName.get(name);
		return id === undefined ? undefined : this.#records.get(id);
	}

	/** @throws ConflictError when the name is taken, in Docker's words */
	checkName(name: string): void {
		const owner = this.owner(name);
		if (owner !== undefined) throw nameConflict(name, owner.id);
	}

	insert(record: ContainerRecord): void {
		this.checkName(record.name);
		this.#store.insert(record);
		this.#remember(record);
	}

	/** Stores the record with the change as its next version. */
	update(id: string, change: RecordChange): ContainerRecord {
		const current = this.get(id);
		const next: ContainerRecord = { ...current, ...change, version: current.version + 1 };
		if (next.name !== current.name) this.checkName(next.name);
		this.#store.update(next);
		if (this.#hidden.has(id)) {
			this.#hidden.set(id, next);
			return next;
		}
		if (next.name !== current.name) this.#idByName.delete(current.name);
		this.#remember(next);
		return next;
	}

	/** Takes a container whose stored state says `removing` out of sight; its name is free. */
	hide(id: string): void {
		const record = this.#records.get(id);
		if (record === undefined) return;
		invariant(record.lifecycle.kind === "removing", "only a container under removal is hidden");
		this.#forget(record);
		this.#hidden.set(id, record);
	}

	delete(id: string): void {
		this.#store.delete(id);
		const record = this.#records.get(id);
		if (record !== undefined) this.#forget(record);
		this.#hidden.delete(id);
	}

	/** Runs `work` alone among those that change this container. */
	locked<T>(id: string, work: () => Promise<T> | T): Promise<T> {
		return this.#mutex.run(id, work);
	}

	#remember(record: ContainerRecord): void {
		this.#records.set(record.id, record);
		this.#idByName.set(record.name, record.id);
	}

	#forget(record: ContainerRecord): void {
		this.#records.delete(record.id);
		if (this.#idByName.get(record.name) === record.id) this.#idByName.delete(record.name);
	}
}
