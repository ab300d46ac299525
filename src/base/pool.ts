/** Bounded concurrency: at most `limit` of the given works run at once; the rest wait in order. */
export class Pool {
	#running = 0;
	#limit: number;
	readonly #waiting: (() => void)[] = [];

	constructor(limit: number) {
		this.#limit = limit;
	}

	get limit(): number {
		return this.#limit;
	}

	/** Whether the next work would have to wait. */
	get isFull(): boolean {
		return this.#running >= this.#limit;
	}

	/** From now on; what runs goes on when there is less room than before. */
	resize(limit: number): void {
		this.#limit = limit;
		this.#admit();
	}

	async run<T>(work: () => Promise<T>): Promise<T> {
		if (this.isFull || this.#waiting.length > 0) {
			const { promise, resolve } = Promise.withResolvers<void>();
			this.#waiting.push(resolve);
			await promise;
		} else this.#running++;
		try {
			return await work();
		} finally {
			this.#running--;
			this.#admit();
		}
	}

	/** Whoever is let in counts at once: nobody else gets the place before it goes on. */
	#admit(): void {
		while (!this.isFull) {
			const next = this.#waiting.shift();
			if (next === undefined) return;
			this.#running++;
			next();
		}
	}
}
