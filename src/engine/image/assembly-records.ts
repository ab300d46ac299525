import type { Digest } from "../../base/digest.ts";
import type { ContentStore } from "../../core/content/content-store.ts";

/**
 * Removes the re-assembly records of layers that are gone. The same tar on two parents has one record, and an unpacking may just be
 * about to need one: they go in quiet moments only.
 */
export class AssemblyRecords {
	#unpackings = 0;
	/** The deletion that runs; it never fails for good: what stays is found at the next start. */
	#sweep: Promise<void> = Promise.resolve();
	/** Those that perhaps nobody needs any more. */
	readonly #orphans = new Set<Digest>();

	/** @param used by layers, and by those that may yet be dropped: these are asked about again */
	constructor(
		readonly content: ContentStore,
		readonly used: () => { readonly byLayers: readonly Digest[]; readonly byFinished: readonly Digest[] },
	) {}

	/** What is unpacked from now on until `end` keeps its record. Waits for a deletion that might be of the same. */
	async begin(): Promise<void> {
		this.#unpackings++;
		await this.#sweep;
	}

	end(): void {
		this.#unpackings--;
	}

	mayBeUnused(digest: Digest): void {
		this.#orphans.add(digest);
	}

	sweep(): Promise<void> {
		if (this.#unpackings === 0) this.#sweep = this.#sweep.then(() => this.#deleteOrphans());
		return this.#sweep;
	}

	async #deleteOrphans(): Promise<void> {
		if (this.#unpackings > 0) return;
		const { byLayers, byFinished } = this.used();
		const used = new Set([...byLayers, ...byFinished]);
		const unused = [...this.#orphans].filter((digest) => !used.has(digest));
		this.#orphans.clear();
		for (const digest of byFinished) this.#orphans.add(digest);
		await Promise.allSettled(unused.map((digest) => this.content.delete(digest)));
	}
}
