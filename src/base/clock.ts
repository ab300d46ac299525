/** Time as a port, so that loops with timers can be tested with a clock that is turned by hand. */
export interface Timer {
	cancel(): void;
}

export interface Clock {
	/** Milliseconds since the epoch. */
	now(): number;
	/** Runs `action` once, `delayMs` from now. The timer does not keep the process alive. */
	after(delayMs: number, action: () => void): Timer;
}

/** setTimeout() takes 31 bits; for more it fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
	now: () => Date.now(),
	after(delayMs, action) {
		let timer: NodeJS.Timeout;
		const wait = (remainingMs: number) => {
			const next = remainingMs > LONGEST_TIMER_MS ? () => wait(remainingMs - LONGEST_TIMER_MS) : action;
			timer = setTimeout(next, Math.min(remainingMs, LONGEST_TIMER_MS));
			timer.unref();
		};
		wait(delayMs);
		return { cancel: () => clearTimeout(timer) };
	},
};

/** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		if (signal?.aborted) return reject(signal.reason);
		const onAbort = () => {
			timer.cancel();
			reject(signal?.reason);
		};
		const timer = clock.after(delayMs, () => {
			signal?.removeEventListener("abort", onAbort);
			resolve();
		});
		signal?.addEventListener("abort", onAbort, { once: true });
	});
}

/** Whether `work` settles before `limitMs` are over. @throws what it rejects with, when that is in time */
export async function settlesWithin(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
	const { promise: timeout, resolve } = Promise.withResolvers<boolean>();
	const timer = clock.after(limitMs, () => resolve(false));
	try {
		return await Promise.race([work.then(() => true), timeout]);
	} finally {
		timer.cancel();
	}
}
