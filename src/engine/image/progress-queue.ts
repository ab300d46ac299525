import type { ProgressMessage } from "../../api/engine/image.ts";
import { progressText } from "../../core/remotes/progress-text.ts";

/** Often enough for a bar to move smoothly. */
const INTERVAL_MS = 100;

/**
 * Messages of work that goes on by itself, for a reader that may be slow: of bars that nobody has read yet only the last state is kept.
 */
export class ProgressQueue {
	readonly #messages: ProgressMessage[] = [];
	/** Bars not read yet, by ID; the same objects stand in the queue. */
	readonly #bars = new Map<string, ProgressMessage>();
	readonly #lastAt = new Map<string, number>();
	#wake = Promise.withResolvers<void>();
	#isEnded = false;
	#error: unknown;

	/** Something that happened. */
	say(message: ProgressMessage): void {
		if (message.id !== undefined) this.#bars.delete(message.id);
		this.#messages.push(message);
		this.#wake.resolve();
	}

	/** The state of one item: `busybox: Pull complete`. */
	state(id: string, status: string): void {
		this.say({ status, progressDetail: {}, id });
	}

	/** How far one item is. */
	bar(id: string, status: string, current: number, total: number): void {
		const pending = this.#bars.get(id);
		const detail = {
			progressDetail: total > 0 ? { current, total } : { current },
			progress: progressText(current, total),
		};
		if (pending !== undefined) {
			Object.assign(pending, { status }, detail);
			return;
		}
		const now = performance.now();
		if (current < total && now - (this.#lastAt.get(id) ?? Number.NEGATIVE_INFINITY) < INTERVAL_MS) return;
		this.#lastAt.set(id, now);
		const message: ProgressMessage = { status, ...detail, id };
		this.#bars.set(id, message);
		this.#messages.push(message);
		this.#wake.resolve();
	}

	/**
	 * Runs the work and gives its messages. When the reader leaves, the work is cancelled.
	 * @throws what the work throws, after all its messages
	 */
	async *run(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): AsyncGenerator<ProgressMessage> {
		const left = new AbortController();
		work(AbortSignal.any([signal, left.signal])).then(
			() => this.#end(undefined),
			(error: unknown) => this.#end(error),
		);
		try {
			for (;;) {
				for (const message of this.#messages.splice(0)) {
					if (message.id !== undefined && this.#bars.get(message.id) === message) this.#bars.delete(message.id);
					yield message;
				}
				if (this.#messages.length > 0) continue;
				if (this.#isEnded) break;
				await this.#wake.promise;
				this.#wake = Promise.withResolvers();
			}
			if (this.#error !== undefined) throw this.#error;
		} finally {
			left.abort();
		}
	}

	#end(error: unknown): void {
		this.#isEnded = true;
		this.#error = error;
		this.#wake.resolve();
	}
}
