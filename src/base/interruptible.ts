/**
 * Waits for one piece of work after another, or for the signal, whichever comes first. `Promise.race` with one promise for the signal
 * would keep every piece that ever came for as long as the signal lives.
 *
 * @param reason what an interrupted wait rejects with
 * @returns waits for the work it is given; one at a time. What is left behind may fail unheard.
 */
export function interruptible(
	signal: AbortSignal,
	reason: () => unknown = () => signal.reason,
): <T>(work: Promise<T>) => Promise<T> {
	let interrupt: (reason: unknown) => void = () => undefined;
	signal.addEventListener("abort", () => interrupt(reason()), { once: true });
	return <T>(work: Promise<T>) =>
		new Promise<T>((resolve, reject) => {
			interrupt = reject;
			if (signal.aborted) reject(reason());
			work.then(resolve, reject);
		});
}
