import { assertNever, ConflictError, NotModifiedError, SystemError } from "../../base/errors.ts";
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
	/** `volumes`: its anonymous volumes go, too. */
	| { readonly kind: "removing"; readonly exit: ExitRecord | undefined; readonly volumes?: boolean }
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

/**
 * The next state. Total and pure: requests that the state forbids throw, late news about what is over already
 * (a second `ended`, an out-of-memory kill of an exited container) leaves the state as it is.
 *
 * @param id the container's ID, for messages only
 * @throws ConflictError, NotModifiedError (start of a running container), SystemError (resume of one that is not paused)
 */
export function transition(lifecycle: ContainerLifecycle, event: ContainerEvent, id: string): ContainerLifecycle {
	switch (event.kind) {
		case "start-requested":
			return requestStart(lifecycle);
		case "started":
			if (lifecycle.kind !== "starting") return lifecycle;
			return { kind: "running", pid: event.pid, startedAt: event.at, oomKilled: false };
		case "start-failed":
			return lifecycle.kind === "starting"
				? { kind: "exited", exit: failedStart(lifecycle.previous, event) }
				: lifecycle;
		case "paused":
			return pause(lifecycle, id);
		case "resumed":
			// Docker answers 500 here, not 409.
			if (lifecycle.kind !== "paused") throw new SystemError(`Container ${id} is not paused`);
			return { ...lifecycle, kind: "running" };
		case "out-of-memory":
			return isRunning(lifecycle) ? { ...lifecycle, oomKilled: true } : lifecycle;
		case "ended":
			return end(lifecycle, event);
		case "restart-cancelled":
			return lifecycle.kind === "restarting" ? { kind: "exited", exit: lifecycle.exit } : lifecycle;
		case "remove-requested":
			return requestRemoval(lifecycle, id);
		case "remove-failed":
			return lifecycle.kind === "removing" ? { kind: "dead", exit: lifecycle.exit } : lifecycle;
		default:
			return assertNever(event);
	}
}

/** Whether a process of the container exists; a paused one's does. */
export function isRunning(
	lifecycle: ContainerLifecycle,
): lifecycle is Extract<ContainerLifecycle, { kind: "running" | "paused" }> {
	return lifecycle.kind === "running" || lifecycle.kind === "paused";
}

/** How the last run ended, as far as one has. A running container has none. */
export function lastExit(lifecycle: ContainerLifecycle): ExitRecord | undefined {
	switch (lifecycle.kind) {
		case "restarting":
		case "exited":
		case "removing":
		case "dead":
			return lifecycle.exit;
		case "starting":
			return lifecycle.previous;
		case "created":
		case "running":
		case "paused":
			return undefined;
		default:
			return assertNever(lifecycle);
	}
}

/** The error of an operation that needs a running process. */
export function notRunning(id: string): ConflictError {
	return new ConflictError(`container ${id} is not running`);
}

/** Why a container may not be removed without force, in Docker's words; undefined when it may. */
export function removalRefusal(lifecycle: ContainerLifecycle, name: string): ConflictError | undefined {
	const refuse = (why: string) => new ConflictError(`cannot remove container "${name}": container is ${why}`);
	switch (lifecycle.kind) {
		case "paused":
			return refuse("paused and must be unpaused first");
		case "running":
		case "restarting":
			return refuse(`${lifecycle.kind}: stop the container before removing or force remove`);
		default:
			return undefined;
	}
}

function requestStart(lifecycle: ContainerLifecycle): ContainerLifecycle {
	switch (lifecycle.kind) {
		case "running":
			throw new NotModifiedError("container is already running");
		case "paused":
			throw new ConflictError("cannot start a paused container, try unpause instead");
		case "removing":
		case "dead":
			throw new ConflictError("container is marked for removal and cannot be started");
		case "starting":
			return lifecycle;
		case "created":
		case "restarting":
		case "exited":
			return { kind: "starting", previous: lastExit(lifecycle) };
		default:
			return assertNever(lifecycle);
	}
}

/** A start that failed keeps the times of the last run: Docker shows one that never ran as created, with the code. */
function failedStart(
	previous: ExitRecord | undefined,
	event: Extract<ContainerEvent, { kind: "start-failed" }>,
): ExitRecord {
	return {
		exitCode: event.exitCode,
		oomKilled: false,
		error: event.error,
		startedAt: previous?.startedAt ?? 0,
		finishedAt: previous?.finishedAt ?? 0,
	};
}

function pause(lifecycle: ContainerLifecycle, id: string): ContainerLifecycle {
	if (lifecycle.kind === "running") return { ...lifecycle, kind: "paused" };
	if (lifecycle.kind === "paused") throw new ConflictError(`Container ${id} is already paused`);
	if (lifecycle.kind === "restarting")
		throw new ConflictError(`Container ${id} is restarting, wait until the container is running`);
	throw notRunning(id);
}

function end(lifecycle: ContainerLifecycle, event: Extract<ContainerEvent, { kind: "ended" }>): ContainerLifecycle {
	switch (lifecycle.kind) {
		case "running":
		case "paused": {
			const exit = exitRecord(event.exit, lifecycle.startedAt, lifecycle.oomKilled);
			return event.restart ? { kind: "restarting", exit } : { kind: "exited", exit };
		}
		case "starting": {
			// Ended before its start was noted: it ran, if only for an instant.
			const exit = exitRecord(event.exit, event.exit.finishedAt, false);
			return event.restart ? { kind: "restarting", exit } : { kind: "exited", exit };
		}
		case "removing":
			return { ...lifecycle, exit: exitRecord(event.exit, lifecycle.exit?.startedAt ?? 0, false) };
		case "created":
		case "restarting":
		case "exited":
		case "dead":
			return lifecycle;
		default:
			return assertNever(lifecycle);
	}
}

function exitRecord(exit: TaskExit, startedAt: number, oomSeen: boolean): ExitRecord {
	return {
		exitCode: exit.exitCode,
		oomKilled: exit.oomKilled || oomSeen,
		error: "",
		startedAt,
		finishedAt: Math.max(exit.finishedAt, startedAt),
	};
}

function requestRemoval(lifecycle: ContainerLifecycle, id: string): ContainerLifecycle {
	const refusal = removalRefusal(lifecycle, id);
	if (refusal !== undefined) throw refusal;
	if (lifecycle.kind === "removing") throw new ConflictError(`removal of container ${id} is already in progress`);
	return { kind: "removing", exit: lastExit(lifecycle) };
}
