import type { Database, Statement } from "bun:sqlite";
import { ConflictError, NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerStore } from "../../core/container/container-store.ts";
import { execute, parseRecord, withoutSync } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

type Row = { id: string; record: string };

export class SqliteContainerStore implements ContainerStore {
	readonly #reserve: SpaceReserve;
	readonly #insert: Statement;
	readonly #update: Statement;
	readonly #delete: Statement;
	readonly #list: Statement<Row, []>;
	readonly #stored: Statement<{ version: number; removing: number }, [string]>;

	constructor(private readonly database: Database) {
		this.#reserve = new SpaceReserve(database.filename);
		this.#insert = database.prepare(
			"INSERT INTO containers (id, version, name, removing, record) VALUES (?, ?, ?, ?, ?)",
		);
		this.#update = database.prepare(
			"UPDATE containers SET version = ?, name = ?, removing = ?, record = ? WHERE id = ? AND version = ?",
		);
		this.#delete = database.prepare("DELETE FROM containers WHERE id = ?");
		this.#list = database.prepare("SELECT id, record FROM containers ORDER BY rowid");
		this.#stored = database.prepare("SELECT version, removing FROM containers WHERE id = ?");
	}

	list(): ContainerRecord[] {
		return this.#list.all().map((row) => parseRecord<ContainerRecord>(row.record, `container ${row.id}`));
	}

	insert(record: ContainerRecord): void {
		const { id, version, name } = record;
		execute(
			() => this.#insert.run(id, version, name, isRemoving(record), JSON.stringify(record)),
			`container ${id} or the name ${name} exists already`,
		);
	}

	update(record: ContainerRecord): void {
		const { id, version, name } = record;
		const write = () => this.#update.run(version, name, isRemoving(record), JSON.stringify(record), id, version - 1);
		const store = () => (isEnding(record) ? this.#reserve.run(write) : write());
		const result = execute(
			() => (this.#isMadeGoodAfterBoot(record) ? withoutSync(this.database, store) : store()),
			`the name ${name} is already in use`,
		);
		if (result.changes === 1) return;
		const stored = this.#stored.get(id);
		if (stored === null) throw new NotFoundError(`No such container: ${id}`);
		throw new ConflictError(`container ${id} is at version ${stored.version}, not ${version - 1}`);
	}

	delete(id: string): void {
		// Its record says `removing`: where the deletion is lost with the machine, recovery deletes it again.
		execute(
			() => withoutSync(this.database, () => this.#reserve.run(() => this.#delete.run(id))),
			`container ${id} is in use`,
		);
		this.#reserve.refill();
	}

	/**
	 * Whether a boot brings about the same when this record was lost with the machine: what was about to start does not run
	 * then, a container with `--rm` that ran is removed, and a removal once begun goes on whatever it noted.
	 */
	#isMadeGoodAfterBoot({ id, lifecycle, hostConfig }: ContainerRecord): boolean {
		if (lifecycle.kind === "starting") return true;
		return lifecycle.kind === "removing" && (hostConfig.AutoRemove === true || this.#stored.get(id)?.removing === 1);
	}
}

/** What a stop or a removal writes, on a full disk too. */
function isEnding({ lifecycle, stoppedByUser }: ContainerRecord): boolean {
	return stoppedByUser || ["removing", "exited", "dead"].includes(lifecycle.kind);
}

function isRemoving(record: ContainerRecord): number {
	return record.lifecycle.kind === "removing" ? 1 : 0;
}
