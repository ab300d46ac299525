import type { Database, Statement } from "bun:sqlite";
import { ConflictError, NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerStore } from "../../core/container/container-store.ts";
import { execute, parseRecord } from "./database.ts";

type Row = { id: string; record: string };

export class SqliteContainerStore implements ContainerStore {
	readonly #insert: Statement;
	readonly #update: Statement;
	readonly #delete: Statement;
	readonly #list: Statement<Row, []>;
	readonly #version: Statement<{ version: number }, [string]>;

	constructor(database: Database) {
		this.#insert = database.prepare(
			"INSERT INTO containers (id, version, name, removing, record) VALUES (?, ?, ?, ?, ?)",
		);
		this.#update = database.prepare(
			"UPDATE containers SET version = ?, name = ?, removing = ?, record = ? WHERE id = ? AND version = ?",
		);
		this.#delete = database.prepare("DELETE FROM containers WHERE id = ?");
		this.#list = database.prepare("SELECT id, record FROM containers ORDER BY rowid");
		this.#version = database.prepare("SELECT version FROM containers WHERE id = ?");
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
		const result = execute(
			() => this.#update.run(version, name, isRemoving(record), JSON.stringify(record), id, version - 1),
			`the name ${name} is already in use`,
		);
		if (result.changes === 1) return;
		const stored = this.#version.get(id);
		if (stored === null) throw new NotFoundError(`No such container: ${id}`);
		throw new ConflictError(`container ${id} is at version ${stored.version}, not ${version - 1}`);
	}

	delete(id: string): void {
		execute(() => this.#delete.run(id), `container ${id} is in use`);
	}
}

function isRemoving(record: ContainerRecord): number {
	return record.lifecycle.kind === "removing" ? 1 : 0;
}
