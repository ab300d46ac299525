import type { Database, Statement } from "bun:sqlite";
import type { UseStore } from "../../core/gc/use-store.ts";
import { execute, withoutSync } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

export class SqliteUseStore implements UseStore {
	readonly #database: Database;
	readonly #reserve: SpaceReserve;
	readonly #uses: Statement<{ image: string; used_at: number }, []>;
	readonly #putUse: Statement;
	readonly #deleteUse: Statement;
	readonly #pins: Statement<{ name: string }, []>;
	readonly #pin: Statement;
	readonly #unpin: Statement;

	constructor(database: Database) {
		this.#database = database;
		this.#reserve = new SpaceReserve(database.filename);
		this.#uses = database.prepare("SELECT image, used_at FROM image_uses");
		this.#putUse = database.prepare(
			"INSERT INTO image_uses (image, used_at) VALUES (?, ?) ON CONFLICT (image) DO UPDATE SET used_at = excluded.used_at",
		);
		this.#deleteUse = database.prepare("DELETE FROM image_uses WHERE image = ?");
		this.#pins = database.prepare("SELECT name FROM image_pins ORDER BY rowid");
		this.#pin = database.prepare("INSERT INTO image_pins (name) VALUES (?) ON CONFLICT (name) DO NOTHING");
		this.#unpin = database.prepare("DELETE FROM image_pins WHERE name = ?");
	}

	uses(): ReadonlyMap<string, number> {
		return new Map(this.#uses.all().map(({ image, used_at }) => [image, used_at]));
	}

	putUses(uses: ReadonlyMap<string, number>): void {
		if (uses.size === 0) return;
		const write = this.#database.transaction(() => {
			for (const [image, usedAt] of uses) this.#putUse.run(image, Math.floor(usedAt));
		});
		execute(() => withoutSync(this.#database, write), "image uses are in use");
	}

	deleteUse(imageId: string): void {
		const remove = () => this.#reserve.run(() => this.#deleteUse.run(imageId));
		execute(() => withoutSync(this.#database, remove), "image uses are in use");
	}

	pins(): string[] {
		return this.#pins.all().map(({ name }) => name);
	}

	pin(name: string): void {
		execute(() => this.#pin.run(name), `pin ${name} is in use`);
	}

	unpin(name: string): boolean {
		return execute(() => this.#reserve.run(() => this.#unpin.run(name)).changes > 0, `pin ${name} is in use`);
	}
}
