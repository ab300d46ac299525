import { type Clock, delay } from "../../base/clock.ts";
import { CancelledError } from "../../base/errors.ts";
import { retryDelayMs } from "../../core/remotes/retry.ts";

export interface RetryOptions {
	readonly clock: Clock;
	readonly attempts: number;
	/** Whether the other side has answered before. */
	readonly wasThere?: boolean;
	readonly onRetry?: ((delaySeconds: number) => void) | undefined;
}

/** Tries again what may work the next time. @throws the last error */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions, signal: AbortSignal): Promise<T> {
	for (let failures = 1; ; failures++) {
		try {
			return await work();
		} catch (error) {
			await beforeRetry(error, failures, options, signal);
		}
	}
}

/** Waits as long as the error asks for. @throws the error when it is final, CancelledError */
export async function beforeRetry(
	error: unknown,
	failures: number,
	{ clock, onRetry, ...policy }: RetryOptions,
	signal: AbortSignal,
): Promise<void> {
	const delayMs = signal.aborted ? undefined : retryDelayMs(error, failures, policy);
	if (delayMs === undefined) throw error;
	onRetry?.(Math.ceil(delayMs / 1000));
	try {
		await delay(clock, delayMs, signal);
	} catch (cause) {
		throw new CancelledError("Operation cancelled", { cause });
	}
}
