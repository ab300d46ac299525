/** Enough for a reader that is a little behind. */
const FULL_MESSAGES = 256;

/** Messages of work that goes on by itself; who has more than the reader takes waits. */
export class MessageQueue<T> {
	#messages: T[] = [];
	#wake = Promise.withResolvers<void>();
	#room = Promise.withResolvers<void>();
	#isEnded = false;
	#error: unknown;

	say(message: T): void {
		this.#messages.push(message);
		this.#wake.resolve();
	}

	/** Resolves when there is room for more. */
	async ready(): Promise<void> {
		while (this.#messages.length >= FULL_MESSAGES && !this.#isEnded) {
			this.#room = Promise.withResolvers();
			await this.#room.promise;
		}
	}

	/** Runs the work and gives its messages. When the reader leaves, the work is cancelled. @throws what the work throws, after all its messages */
	async *run(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): AsyncGenerator<T> {
		const left = new AbortController();
		const leave = () => {
			left.abort();
			this.#room.resolve();
		};
		signal.addEventListener("abort", leave, { once: true });
		if (signal.aborted) leave();
		work(left.signal).then(
			() => this.#end(undefined),
			(error: unknown) => this.#end(error),
		);
		try {
			for (;;) {
				const messages = this.#messages;
				this.#messages = [];
				this.#room.resolve();
				yield* messages;
				if (this.#messages.length > 0) continue;
				if (this.#isEnded) break;
				await this.#wake.promise;
				this.#wake = Promise.withResolvers();
			}
			if (this.#error !== undefined) throw this.#error;
		} finally {
			this.#isEnded = true;
			leave();
			signal.removeEventListener("abort", leave);
		}
	}

	#end(error: unknown): void {
		this.#isEnded = true;
		this.#error = error;
		this.#wake.resolve();
	}
}
