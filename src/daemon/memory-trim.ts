/** Gives memory back when the daemon has been quiet for a while: the collector alone lets a burst's heap stand for long. */
import type { Clock, Timer } from "../base/clock.ts";

const QUIET_MS = 3000;

export class MemoryTrim implements Disposable {
	#timer: Timer | undefined;

	constructor(
		private readonly clock: Clock,
		private readonly collect: () => void,
	) {}

	/** Something was done; the quiet begins anew. */
	touch(): void {
		this.#timer?.cancel();
		this.#timer = this.clock.after(QUIET_MS, () => {
			this.#timer = undefined;
			this.collect();
		});
	}

	[Symbol.dispose](): void {
		this.#timer?.cancel();
	}
}
