import type { Database, Statement } from "bun:sqlite";
import type { Digest } from "../../base/digest.ts";
import type { ImageRecord, ImageStore, LayerRecord } from "../../core/image/image-record.ts";
import { execute, parseRecord, withoutSync } from "./database.ts";
import { SpaceReserve } from "./space-reserve.ts";

type Row = { id: string; record: string };

/** `undefined` members are left out by JSON and read back as absent, which the records treat alike. */
export class SqliteImageStore implements ImageStore {
	readonly #reserve: SpaceReserve;
	readonly #images: Statement<Row, []>;
	readonly #layers: Statement<Row, []>;
	readonly #putImage: Statement;
	readonly #deleteImage: Statement;
	readonly #putLayer: Statement;
	readonly #deleteLayer: Statement;
	readonly #database: Database;

	constructor(database: Database) {
		this.#database = database;
		this.#reserve = new SpaceReserve(database.filename);
		this.#images = database.prepare("SELECT id, record FROM images ORDER BY rowid");
		this.#layers = database.prepare("SELECT chain_id AS id, record FROM layers ORDER BY rowid");
		this.#putImage = database.prepare(
			"INSERT INTO images (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
		);
		this.#deleteImage = database.prepare("DELETE FROM images WHERE id = ?");
		this.#putLayer = database.prepare(
			"INSERT INTO layers (chain_id, record) VALUES (?, ?) ON CONFLICT (chain_id) DO UPDATE SET record = excluded.record",
		);
		this.#deleteLayer = database.prepare("DELETE FROM layers WHERE chain_id = ?");
	}

	images(): ImageRecord[] {
		return this.#images.all().map((row) => parseRecord<ImageRecord>(row.record, `image ${row.id}`));
	}

	layers(): LayerRecord[] {
		return this.#layers.all().map((row) => parseRecord<LayerRecord>(row.record, `layer ${row.id}`));
	}

	putImage(record: ImageRecord): void {
		const write = () => this.#putImage.run(record.id, JSON.stringify(record));
		// An image that loses its last tag is on its way out.
		execute(() => (record.tags.length === 0 ? this.#reserve.run(write) : write()), `image ${record.id} is in use`);
	}

	touchImage(record: ImageRecord): void {
		execute(
			() => withoutSync(this.#database, () => this.#putImage.run(record.id, JSON.stringify(record))),
			`image ${record.id} is in use`,
		);
	}

	deleteImage(id: Digest): void {
		execute(() => this.#reserve.run(() => this.#deleteImage.run(id)), `image ${id} is in use`);
	}

	putLayer(record: LayerRecord): void {
		execute(() => this.#putLayer.run(record.chainId, JSON.stringify(record)), `layer ${record.chainId} is in use`);
	}

	putLayers(records: readonly LayerRecord[]): void {
		const write = this.#database.transaction(() => {
			for (const record of records) this.#putLayer.run(record.chainId, JSON.stringify(record));
		});
		execute(write, "a layer is in use");
	}

	deleteLayer(chainId: Digest): void {
		execute(() => this.#reserve.run(() => this.#deleteLayer.run(chainId)), `layer ${chainId} is in use`);
		this.#reserve.refill();
	}
}
