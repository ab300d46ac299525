/** Gives memory back when the daemon has been quiet for a while: the collector alone lets a burst's heap stand for long. */
import type { Clock, Timer } from "../base/clock.ts";

/** After the last request. Twice: the allocator gives back at the second collection what the first one set free. */
const QUIET_MS = [3000, 3000] as const;

export class MemoryTrim implements Disposable {
	#timer: Timer | undefined;

	constructor(
		private readonly clock: Clock,
		private readonly collect: () => void,
	) {}

	/** Something was done; the quiet begins anew. */
	touch(): void {
		this.#timer?.cancel();
		this.#schedule(QUIET_MS);
	}

	#schedule([delayMs, ...later]: readonly number[]): void {
		this.#timer = undefined;
		if (delayMs === undefined) return;
		this.#timer = this.clock.after(delayMs, () => {
			this.collect();
			this.#schedule(later);
		});
	}

	[Symbol.dispose](): void {
		this.#timer?.cancel();
	}
}
