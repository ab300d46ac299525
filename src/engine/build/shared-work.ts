import { CancelledError } from "../../base/errors.ts";

interface Running<T, Event> {
	readonly result: Promise<T>;
	readonly controller: AbortController;
	readonly listeners: Set<(event: Event) => Promise<void> | void>;
	users: number;
}

/**
 * Work that several callers want at the same time is done once. Everyone hears its events from when he joined; it is stopped when
 * nobody wants it any more.
 */
export class SharedWork<T, Event> {
	readonly #running = new Map<string, Running<T, Event>>();

	/** @param isItsOwn whether a failure has to do with who began the work: others who wait for it then do it themselves */
	constructor(private readonly isItsOwn: (error: unknown) => boolean) {}

	/** @param work runs without any caller's signal: one that goes away stops it only when it was the last */
	async run(
		key: string,
		work: (emit: (event: Event) => Promise<void>, signal: AbortSignal) => Promise<T>,
		listener: (event: Event) => Promise<void> | void,
		signal: AbortSignal,
	): Promise<T> {
		for (;;) {
			const isJoined = this.#current(key) !== undefined;
			try {
				return await this.#take(key, work, listener, signal);
			} catch (error) {
				if (!isJoined || signal.aborted || !this.isItsOwn(error)) throw error;
			}
		}
	}

	async #take(
		key: string,
		work: (emit: (event: Event) => Promise<void>, signal: AbortSignal) => Promise<T>,
		listener: (event: Event) => Promise<void> | void,
		signal: AbortSignal,
	): Promise<T> {
		signal.throwIfAborted();
		const running = this.#join(key, work);
		running.users++;
		running.listeners.add(listener);
		const { promise: gone, reject } = Promise.withResolvers<never>();
		const leave = () => reject(new CancelledError("build cancelled"));
		signal.addEventListener("abort", leave, { once: true });
		try {
			return await Promise.race([running.result, gone]);
		} finally {
			signal.removeEventListener("abort", leave);
			running.listeners.delete(listener);
			if (--running.users === 0) running.controller.abort(new CancelledError("build cancelled"));
			// Who leaves last waits until nothing is left of it.
			if (running.users === 0) await running.result.catch(() => undefined);
		}
	}

	#current(key: string): Running<T, Event> | undefined {
		const running = this.#running.get(key);
		return running?.controller.signal.aborted === true ? undefined : running;
	}

	#join(
		key: string,
		work: (emit: (event: Event) => Promise<void>, signal: AbortSignal) => Promise<T>,
	): Running<T, Event> {
		const known = this.#current(key);
		if (known !== undefined) return known;
		const controller = new AbortController();
		const listeners = new Set<(event: Event) => Promise<void> | void>();
		const emit = async (event: Event) => {
			await Promise.all([...listeners].map((listen) => listen(event)));
		};
		const result = work(emit, controller.signal).finally(() => {
			if (this.#running.get(key) === running) this.#running.delete(key);
		});
		result.catch(() => undefined);
		const running: Running<T, Event> = { result, controller, listeners, users: 0 };
		this.#running.set(key, running);
		return running;
	}
}
