import type { Digest } from "../../base/digest.ts";

/** Keeps layers alive while an image is being put together from them. */
export class LayerLease implements Disposable {
	readonly #held: Digest[] = [];

	/** @param counts how many leases hold each chain ID; shared by all */
	constructor(readonly counts: Map<Digest, number>) {}

	hold(chain: Digest): void {
		this.counts.set(chain, (this.counts.get(chain) ?? 0) + 1);
		this.#held.push(chain);
	}

	[Symbol.dispose](): void {
		for (const chain of this.#held.splice(0)) {
			const count = (this.counts.get(chain) ?? 1) - 1;
			if (count === 0) this.counts.delete(chain);
			else this.counts.set(chain, count);
		}
	}
}
