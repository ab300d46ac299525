import { CancelledError, UnavailableError } from "../../base/errors.ts";

/** The builds of this daemon: none outlives it. */
export class RunningBuilds {
	readonly #running = new Map<AbortController, Promise<unknown>>();
	#isClosed = false;

	/** Runs a build with a signal whose reason is an error of ours. @throws UnavailableError when the daemon is stopping, and what the work throws */
	async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
		if (this.#isClosed) throw new UnavailableError("the daemon is stopping");
		const controller = new AbortController();
		const abort = () => controller.abort(new CancelledError("build cancelled"));
		signal.addEventListener("abort", abort, { once: true });
		if (signal.aborted) abort();
		const result = work(controller.signal);
		this.#running.set(controller, result);
		try {
			return await result;
		} finally {
			this.#running.delete(controller);
			signal.removeEventListener("abort", abort);
		}
	}

	/** Cancels all, and waits until nothing is left of them. */
	async close(): Promise<void> {
		this.#isClosed = true;
		for (const controller of this.#running.keys()) controller.abort(new CancelledError("the daemon is stopping"));
		await Promise.allSettled(this.#running.values());
	}
}
