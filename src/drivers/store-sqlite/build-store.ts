import type { Database, Statement } from "bun:sqlite";
import type { BuildStore, CacheRecord, StepRun } from "../../core/build/cache-record.ts";
import { execute, parseRecord, withoutSync } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

type Row = { id: string; record: string };

export class SqliteBuildStore implements BuildStore {
	readonly #database: Database;
	readonly #reserve: SpaceReserve;
	readonly #records: Statement<Row, []>;
	readonly #put: Statement;
	readonly #delete: Statement;
	readonly #runs: Statement<Row, []>;
	readonly #putRun: Statement;
	readonly #deleteRun: Statement;

	constructor(database: Database) {
		this.#database = database;
		this.#reserve = new SpaceReserve(database.filename);
		this.#records = database.prepare("SELECT id, record FROM build_cache ORDER BY rowid");
		this.#put = database.prepare(
			"INSERT INTO build_cache (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
		);
		this.#delete = database.prepare("DELETE FROM build_cache WHERE id = ?");
		this.#runs = database.prepare("SELECT id, record FROM build_runs ORDER BY rowid");
		this.#putRun = database.prepare(
			"INSERT INTO build_runs (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
		);
		this.#deleteRun = database.prepare("DELETE FROM build_runs WHERE id = ?");
	}

	records(): CacheRecord[] {
		return this.#records.all().map((row) => parseRecord<CacheRecord>(row.record, `build cache ${row.id}`));
	}

	save(changed: readonly CacheRecord[], removed: readonly string[]): void {
		if (changed.length + removed.length === 0) return;
		const write = this.#database.transaction(() => {
			for (const record of changed) this.#put.run(record.id, JSON.stringify(record));
			for (const id of removed) this.#delete.run(id);
		});
		// What makes room must work on a full disk, too.
		execute(() => (changed.length === 0 ? this.#reserve.run(write) : write()), "the build cache is in use");
		if (removed.length > 0) this.#reserve.refill();
	}

	runs(): StepRun[] {
		return this.#runs.all().map((row) => parseRecord<StepRun>(row.record, `build step ${row.id}`));
	}

	putRun(run: StepRun): void {
		const write = () => this.#putRun.run(run.id, JSON.stringify(run));
		withoutSync(this.#database, () => execute(write, `build step ${run.id} is in use`));
	}

	deleteRun(id: string): void {
		const write = () => this.#reserve.run(() => this.#deleteRun.run(id));
		withoutSync(this.#database, () => execute(write, `build step ${id} is in use`));
	}
}
