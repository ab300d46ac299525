import { CancelledError } from "../../base/errors.ts";

interface Running<T, Event> {
	readonly result: Promise<T>;
	readonly controller: AbortController;
	readonly listeners: Set<Listener<Event>>;
	/** Resolved and replaced when somebody joins. */
	joined: PromiseWithResolvers<void>;
	users: number;
}

/** Events that one who is slower than others may be behind; he does without those after. */
const UNHEARD_EVENTS = 256;

/** One who hears the events. */
class Listener<Event> {
	#unheard = 0;
	#last: Promise<void> = Promise.resolve();

	constructor(private readonly hear: (event: Event) => Promise<void> | void) {}

	/** Resolves when he is ready for more. */
	tell(event: Event, isAlone: boolean): Promise<void> {
		if (this.#unheard >= UNHEARD_EVENTS && !isAlone) return this.#last;
		this.#unheard++;
		this.#last = (async () => await this.hear(event))().finally(() => this.#unheard--);
		this.#last.catch(() => undefined);
		return this.#last;
	}
}

/**
 * Work that several callers want at the same time is done once. Everyone hears its events from when he joined, and it goes as fast as
 * the fastest of them listens; it is stopped when nobody wants it any more.
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
		const own = new Listener(listener);
		running.listeners.add(own);
		running.joined.resolve();
		running.joined = Promise.withResolvers();
		const { promise: gone, reject } = Promise.withResolvers<never>();
		const leave = () => reject(new CancelledError("build cancelled"));
		signal.addEventListener("abort", leave, { once: true });
		try {
			return await Promise.race([running.result, gone]);
		} finally {
			signal.removeEventListener("abort", leave);
			running.listeners.delete(own);
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
		const listeners = new Set<Listener<Event>>();
		const emit = async (event: Event) => {
			const told = [...listeners].map((one) => one.tell(event, listeners.size === 1));
			if (told.length > 0) await Promise.race([Promise.any(told), running.joined.promise]);
		};
		const result = work(emit, controller.signal).finally(() => {
			if (this.#running.get(key) === running) this.#running.delete(key);
		});
		result.catch(() => undefined);
		const running: Running<T, Event> = { result, controller, listeners, users: 0, joined: Promise.withResolvers() };
		this.#running.set(key, running);
		return running;
	}
}
