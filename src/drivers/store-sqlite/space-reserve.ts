/**
 * Room on the disk set aside for the records of stops and removals: without it, a full disk could not be freed by removing
 * containers, since each removal begins with a record. A file of its own beside the database; when the database has no space for
 * such a record, the file goes and the record is tried once more.
 */

import { SQLiteError } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";

/** Some hundreds of transactions. */
const RESERVE_BYTES = 1024 * 1024;

export class SpaceReserve {
	readonly #path: string;

	/** @param databasePath the reserve is `<databasePath>.reserve` */
	constructor(databasePath: string) {
		this.#path = `${databasePath}.reserve`;
	}

	/** Sets the room aside, unless it is there; on a full disk there is none to be had. */
	refill(): void {
		if (this.#sizeBytes() === RESERVE_BYTES) return;
		try {
			// Nothing that a file system could compress or leave out.
			writeFileSync(this.#path, randomBytes(RESERVE_BYTES), { mode: 0o600 });
		} catch {
			rmSync(this.#path, { force: true }); // ENOSPC, EDQUOT
		}
	}

	/** Runs `work`, a second time at the reserve's expense when there was no space the first time. @throws what it throws */
	run<T>(work: () => T): T {
		try {
			return work();
		} catch (error) {
			if (!isOutOfSpace(error) || this.#sizeBytes() === 0) throw error;
			rmSync(this.#path, { force: true });
			return work();
		}
	}

	#sizeBytes(): number {
		return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
	}
}

/** The shared index and the log of a database that is being opened fail with codes of their own. */
function isOutOfSpace(error: unknown): boolean {
	return error instanceof SQLiteError && /^SQLITE_(?:FULL|IOERR|CANTOPEN)/.test(error.code ?? "");
}
