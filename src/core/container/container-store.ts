import type { ContainerRecord } from "./container-record.ts";

/**
 * Durable records of containers. Every method is one transaction: when it returns, the death of the daemon leaves it alone, and
 * that of the machine, too, unless recovery comes to the same without it.
 */
export interface ContainerStore {
	/** All records, at daemon start. */
	list(): ContainerRecord[];
	/** @throws ConflictError when the ID or the name is taken. */
	insert(record: ContainerRecord): void;
	/** Replaces the record of the same ID whose version is one less. @throws ConflictError on another version, NotFoundError */
	update(record: ContainerRecord): void;
	/** Idempotent. */
	delete(id: string): void;
}
