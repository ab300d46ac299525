import type { UseStore } from "../../core/gc/use-store.ts";

export class MemoryUseStore implements UseStore {
	readonly #uses = new Map<string, number>();
	readonly #pins = new Set<string>();

	uses(): ReadonlyMap<string, number> {
		return new Map(this.#uses);
	}

	putUses(uses: ReadonlyMap<string, number>): void {
		for (const [image, usedAt] of uses) this.#uses.set(image, usedAt);
	}

	deleteUse(imageId: string): void {
		this.#uses.delete(imageId);
	}

	pins(): string[] {
		return [...this.#pins];
	}

	pin(name: string): void {
		this.#pins.add(name);
	}

	unpin(name: string): boolean {
		return this.#pins.delete(name);
	}
}
