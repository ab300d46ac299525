import type { BuildStore, CacheRecord, StepRun } from "../../core/build/cache-record.ts";

export class MemoryBuildStore implements BuildStore {
	readonly #records = new Map<string, CacheRecord>();
	readonly #runs = new Map<string, StepRun>();

	records(): CacheRecord[] {
		return structuredClone([...this.#records.values()]);
	}

	save(changed: readonly CacheRecord[], removed: readonly string[]): void {
		for (const record of changed) this.#records.set(record.id, structuredClone(record));
		for (const id of removed) this.#records.delete(id);
	}

	runs(): StepRun[] {
		return [...this.#runs.values()];
	}

	putRun(run: StepRun): void {
		this.#runs.set(run.id, run);
	}

	deleteRun(id: string): void {
		this.#runs.delete(id);
	}
}
