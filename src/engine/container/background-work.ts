import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";

/**
 * Clean-up that runs off the critical path, by container. It never gets lost: whoever uses the same container next waits
 * for it, `close` waits for all, and what a crash cuts short is found again by recovery.
 */
export class BackgroundWork {
	readonly #logger: Logger;
	readonly #pending = new Map<string, Promise<void>>();

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Runs `work` after what is pending for the key. A failure is logged: the next start of the daemon tries again. */
	start(key: string, what: string, work: () => Promise<void>): Promise<void> {
		const previous = this.#pending.get(key) ?? Promise.resolve();
		const done = previous.then(work).catch((error: unknown) => {
			this.#logger.error("background work failed", { what, container: key, error: errorMessage(error) });
		});
		const tracked = done.then(() => {
			if (this.#pending.get(key) === tracked) this.#pending.delete(key);
		});
		this.#pending.set(key, tracked);
		return tracked;
	}

	/** Resolves when nothing is pending for the key. Undefined when nothing is: the caller need not yield. */
	settled(key: string): Promise<void> | undefined {
		return this.#pending.get(key);
	}

	get isIdle(): boolean {
		return this.#pending.size === 0;
	}

	async allSettled(): Promise<void> {
		while (this.#pending.size > 0) await Promise.all(this.#pending.values());
	}
}
