import type { Database, Statement } from "bun:sqlite";
import type { NetworkRecord } from "../../core/network/network-record.ts";
import type { NetworkStore } from "../../core/network/network-store.ts";
import { execute, parseRecord } from "./database.ts";

export class SqliteNetworkStore implements NetworkStore {
	readonly #put: Statement;
	readonly #delete: Statement;
	readonly #list: Statement<{ id: string; record: string }, []>;

	constructor(database: Database) {
		this.#put = database.prepare(
			"INSERT INTO networks (id, name, record) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record",
		);
		this.#delete = database.prepare("DELETE FROM networks WHERE id = ?");
		this.#list = database.prepare("SELECT id, record FROM networks ORDER BY rowid");
	}

	list(): NetworkRecord[] {
		return this.#list.all().map((row) => parseRecord<NetworkRecord>(row.record, `network ${row.id}`));
	}

	put(record: NetworkRecord): void {
		execute(
			() => this.#put.run(record.id, record.name, JSON.stringify(record)),
			`network with name ${record.name} already exists`,
		);
	}

	delete(id: string): void {
		execute(() => this.#delete.run(id), `network ${id} is in use`);
	}
}
