import { RemoteError } from "./remote-error.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** A registry that asks for more is busy for longer than anybody wants to watch. */
const LONGEST_RETRY_AFTER_MS = 120_000;

const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export function isTransientStatus(status: number): boolean {
	return TRANSIENT_STATUSES.has(status);
}

export interface RetryPolicy {
	readonly attempts: number;
	/** Whether the other side has answered before. */
	readonly wasThere?: boolean;
	/** Between 0 and 1: spreads those who wait for the same. */
	readonly random?: number;
}

/**
 * How long to wait before the next attempt.
 * @param failures how many attempts in a row failed without any progress, 1 for the first
 * @returns undefined when another attempt makes no sense
 */
export function retryDelayMs(
	error: unknown,
	failures: number,
	{ attempts, wasThere = false, random = Math.random() }: RetryPolicy,
): number | undefined {
	if (!(error instanceof RemoteError) || !error.failure.isTransient || failures >= attempts) return undefined;
	// A wrong address does not become right; a registry that was there a moment ago may come back.
	if (error.failure.isUnreachable === true && failures === 1 && !wasThere) return undefined;
	const asked = error.failure.retryAfterMs;
	if (asked !== undefined) return asked > LONGEST_RETRY_AFTER_MS ? undefined : asked;
	const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
	return Math.round(delayMs * (0.75 + random / 2));
}

/** `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
	if (header === null) return undefined;
	if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
	const date = Date.parse(header);
	return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
