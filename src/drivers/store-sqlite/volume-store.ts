import type { Database, Statement } from "bun:sqlite";
import { NotFoundError } from "../../base/errors.ts";
import type { VolumeRecord, VolumeStore } from "../../core/volume/volume-record.ts";
import { execute, parseRecord } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

export class SqliteVolumeStore implements VolumeStore {
	readonly #reserve: SpaceReserve;
	readonly #insert: Statement;
	readonly #rename: Statement;
	readonly #delete: Statement;
	readonly #list: Statement<{ name: string; record: string }, []>;

	constructor(database: Database) {
		this.#reserve = new SpaceReserve(database.filename);
		this.#insert = database.prepare("INSERT INTO volumes (name, record) VALUES (?, ?)");
		this.#rename = database.prepare("UPDATE volumes SET name = ?, record = ? WHERE name = ?");
		this.#delete = database.prepare("DELETE FROM volumes WHERE name = ?");
		this.#list = database.prepare("SELECT name, record FROM volumes ORDER BY rowid");
	}

	list(): VolumeRecord[] {
		return this.#list.all().map((row) => parseRecord<VolumeRecord>(row.record, `volume ${row.name}`));
	}

	insert(record: VolumeRecord): void {
		execute(() => this.#insert.run(record.name, JSON.stringify(record)), nameTaken(record.name));
	}

	update(record: VolumeRecord): void {
		this.rename(record.name, record);
	}

	rename(name: string, record: VolumeRecord): void {
		// A stop writes that nobody holds it any more, on a full disk too.
		const write = () => this.#reserve.run(() => this.#rename.run(record.name, JSON.stringify(record), name));
		const { changes } = execute(write, nameTaken(record.name));
		if (changes === 0) throw new NotFoundError(`get ${name}: no such volume`);
	}

	delete(name: string): void {
		execute(() => this.#reserve.run(() => this.#delete.run(name)), `volume ${name} is in use`);
		this.#reserve.refill();
	}
}

function nameTaken(name: string): string {
	return `A volume named ${name} already exists. Choose a different volume name.`;
}
