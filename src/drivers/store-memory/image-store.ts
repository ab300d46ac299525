import type { ImageRecord, ImageStore, LayerRecord } from "../../core/image/image-record.ts";

export class MemoryImageStore implements ImageStore {
	readonly #images = new Map<string, ImageRecord>();
	readonly #layers = new Map<string, LayerRecord>();

	images(): ImageRecord[] {
		return structuredClone([...this.#images.values()]);
	}

	layers(): LayerRecord[] {
		return structuredClone([...this.#layers.values()]);
	}

	putImage(record: ImageRecord): void {
		this.#images.set(record.id, structuredClone(record));
	}

	touchImage(record: ImageRecord): void {
		this.putImage(record);
	}

	deleteImage(id: string): void {
		this.#images.delete(id);
	}

	putLayer(record: LayerRecord): void {
		this.#layers.set(record.chainId, structuredClone(record));
	}

	putLayers(records: readonly LayerRecord[]): void {
		for (const record of records) this.putLayer(record);
	}

	deleteLayer(chainId: string): void {
		this.#layers.delete(chainId);
	}
}
