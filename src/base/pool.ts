/** Bounded concurrency: at most `limit` of the given works run at once; the rest wait in order. */
export class Pool {
	#running = 0;
	readonly #waiting: (() => void)[] = [];

	constructor(readonly limit: number) {}

	/** Whether the next work would have to wait. */
	get isFull(): boolean {
		return this.#running >= this.limit;
	}

	async run<T>(work: () => Promise<T>): Promise<T> {
		if (this.#running >= this.limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
		else this.#running++;
		try {
			return await work();
		} finally {
			const next = this.#waiting.shift();
			if (next !== undefined) next();
			else this.#running--;
		}
	}
}
