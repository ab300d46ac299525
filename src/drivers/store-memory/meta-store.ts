import type { MetaStore } from "../../core/system/meta-store.ts";

export class MemoryMetaStore implements MetaStore {
	readonly #values = new Map<string, string>();

	get(key: string): string | undefined {
		return this.#values.get(key);
	}

	set(key: string, value: string): void {
		this.#values.set(key, value);
	}
}
