import type { Database, Statement } from "bun:sqlite";
import type { VolumeRecord, VolumeStore } from "../../core/volume/volume-record.ts";
import { execute, parseRecord } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

export class SqliteVolumeStore implements VolumeStore {
	readonly #reserve: SpaceReserve;
	readonly #insert: Statement;
	readonly #delete: Statement;
	readonly #list: Statement<{ name: string; record: string }, []>;

	constructor(database: Database) {
		this.#reserve = new SpaceReserve(database.filename);
		this.#insert = database.prepare("INSERT INTO volumes (name, record) VALUES (?, ?)");
		this.#delete = database.prepare("DELETE FROM volumes WHERE name = ?");
		this.#list = database.prepare("SELECT name, record FROM volumes ORDER BY rowid");
	}

	list(): VolumeRecord[] {
		return this.#list.all().map((row) => parseRecord<VolumeRecord>(row.record, `volume ${row.name}`));
	}

	insert(record: VolumeRecord): void {
		execute(
			() => this.#insert.run(record.name, JSON.stringify(record)),
			`A volume named ${record.name} already exists. Choose a different volume name.`,
		);
	}

	delete(name: string): void {
		execute(() => this.#reserve.run(() => this.#delete.run(name)), `volume ${name} is in use`);
		this.#reserve.refill();
	}
}
