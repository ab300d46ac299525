import type { RestartPolicy } from "../../api/engine/container.ts";

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run this long was a success: the back-off starts anew. */
const STABLE_AFTER_MS = 10_000;

export interface EndedRun {
	readonly policy: RestartPolicy;
	readonly exitCode: number;
	/** Restarts by policy since the user last started it. */
	readonly restartCount: number;
	readonly ranForMs: number;
	readonly stoppedByUser: boolean;
	/** The back-off before this run; 0 when there was none. */
	readonly previousDelayMs: number;
}

export interface Restart {
	readonly delayMs: number;
}

/** What the policy says of a run that has just ended; undefined: leave it. The back-off doubles from 100 ms to 1 minute. */
export function nextRestart(run: EndedRun): Restart | undefined {
	if (run.stoppedByUser || !wantsRestart(run.policy, run.exitCode, run.restartCount)) return undefined;
	const previousMs = run.ranForMs >= STABLE_AFTER_MS ? 0 : run.previousDelayMs;
	return { delayMs: previousMs === 0 ? FIRST_DELAY_MS : Math.min(previousMs * 2, LONGEST_DELAY_MS) };
}

/**
 * Whether a container that does not run is to be started when the daemon starts: `always` even after a stop by hand,
 * as Docker documents it.
 */
export function restartsWithDaemon(
	policy: RestartPolicy,
	last: { readonly exitCode: number; readonly restartCount: number; readonly stoppedByUser: boolean },
): boolean {
	if (policy.Name === "always") return true;
	return !last.stoppedByUser && wantsRestart(policy, last.exitCode, last.restartCount);
}

function wantsRestart(policy: RestartPolicy, exitCode: number, restartCount: number): boolean {
	switch (policy.Name ?? "") {
		case "always":
		case "unless-stopped":
			return true;
		case "on-failure": {
			const limit = policy.MaximumRetryCount ?? 0;
			return exitCode !== 0 && (limit === 0 || restartCount < limit);
		}
		default:
			return false;
	}
}
