import type { Database, Statement } from "bun:sqlite";
import type { MetaStore } from "../../core/system/meta-store.ts";
import { execute } from "./database.ts";

export class SqliteMetaStore implements MetaStore {
	readonly #get: Statement<{ value: string }, [string]>;
	readonly #set: Statement;

	constructor(database: Database) {
		this.#get = database.prepare("SELECT value FROM meta WHERE key = ?");
		this.#set = database.prepare(
			"INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		);
	}

	get(key: string): string | undefined {
		return this.#get.get(key)?.value;
	}

	set(key: string, value: string): void {
		execute(() => this.#set.run(key, value), `meta value ${key} is in use`);
	}
}
