/** Gives memory back when the daemon has been quiet for a while: the collector alone lets a burst's heap stand for long. */
import type { Clock, Timer } from "../base/clock.ts";

type Step = "collect" | "shrink";

/**
 * After the last request. Two collections: the allocator gives back at the second what the first one set free. Much later
 * compiled code goes, too, which makes the next request slower.
 */
const STEPS: readonly { readonly afterMs: number; readonly step: Step }[] = [
	{ afterMs: 3000, step: "collect" },
	{ afterMs: 3000, step: "collect" },
	{ afterMs: 9000, step: "shrink" },
	{ afterMs: 1000, step: "collect" },
];

export interface MemoryReliefs {
	collect(): void;
	/** Lets go of what can be made again. @returns whether there was so much that it did */
	shrink(): boolean;
}

export class MemoryTrim implements Disposable {
	#timer: Timer | undefined;

	constructor(
		private readonly clock: Clock,
		private readonly reliefs: MemoryReliefs,
	) {}

	/** Something was done; the quiet begins anew. */
	touch(): void {
		this.#timer?.cancel();
		this.#schedule(STEPS);
	}

	#schedule([next, ...later]: typeof STEPS): void {
		this.#timer = undefined;
		if (next === undefined) return;
		this.#timer = this.clock.after(next.afterMs, () => {
			if (next.step === "collect") this.reliefs.collect();
			else if (!this.reliefs.shrink()) return;
			this.#schedule(later);
		});
	}

	[Symbol.dispose](): void {
		this.#timer?.cancel();
	}
}
