import type { NetworkRecord } from "./network-record.ts";

/** Durable records of networks. Every method is one transaction. */
export interface NetworkStore {
	list(): NetworkRecord[];
	/** Inserts, or replaces the record of the same ID. @throws ConflictError when another network has the name */
	put(record: NetworkRecord): void;
	/** Idempotent. */
	delete(id: string): void;
}
