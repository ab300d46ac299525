/** One queue of waiters per key: work under the same key runs one at a time, in order of arrival. */
export class KeyedMutex {
	readonly #tails = new Map<string, Promise<void>>();

	/** Runs `work` when every earlier holder of `key` has finished; its result or error is the caller's. */
	async run<T>(key: string, work: () => Promise<T> | T): Promise<T> {
		const previous = this.#tails.get(key);
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#tails.set(key, promise);
		try {
			if (previous !== undefined) await previous;
			return await work();
		} finally {
			resolve();
			if (this.#tails.get(key) === promise) this.#tails.delete(key);
		}
	}

	isHeld(key: string): boolean {
		return this.#tails.has(key);
	}
}
