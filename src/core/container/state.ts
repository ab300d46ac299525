import type { TaskExit } from "./runtime.ts";

/** How the last run ended. */
export interface ExitRecord {
	readonly exitCode: number;
	readonly oomKilled: boolean;
	/** Why it could not be started, empty when it ran. */
	readonly error: string;
	/** Milliseconds since the epoch; 0: never started. */
	readonly startedAt: number;
	readonly finishedAt: number;
}

/**
 * The container's life as one union. `starting` and `removing` are intents stored before their side effects, which
 * recovery finishes or undoes; Docker shows `starting` as what it was before.
 */
export type ContainerLifecycle =
	| { readonly kind: "created" }
	| { readonly kind: "starting"; readonly previous: ExitRecord | undefined }
	| { readonly kind: "running"; readonly pid: number; readonly startedAt: number; readonly oomKilled: boolean }
	| { readonly kind: "paused"; readonly pid: number; readonly startedAt: number; readonly oomKilled: boolean }
	/** Waits for the back-off of its restart policy. */
	| { readonly kind: "restarting"; readonly exit: ExitRecord }
	| { readonly kind: "exited"; readonly exit: ExitRecord }
	| { readonly kind: "removing"; readonly exit: ExitRecord | undefined }
	/** A removal that failed; only another removal can follow. */
	| { readonly kind: "dead"; readonly exit: ExitRecord | undefined };

export type ContainerEvent =
	| { readonly kind: "start-requested" }
	| { readonly kind: "started"; readonly pid: number; readonly at: number }
	| { readonly kind: "start-failed"; readonly exitCode: number; readonly error: string; readonly at: number }
	| { readonly kind: "paused" }
	| { readonly kind: "resumed" }
	| { readonly kind: "out-of-memory" }
	| { readonly kind: "ended"; readonly exit: TaskExit; readonly restart: boolean }
	| { readonly kind: "restart-cancelled" }
	| { readonly kind: "remove-requested" }
	| { readonly kind: "remove-failed" };
