import type { ContainerStatusName } from "../../api/engine/container.ts";
import { assertNever } from "../../base/errors.ts";
import { humanDuration } from "../../base/human-duration.ts";
import type { ContainerHealth } from "./container-record.ts";
import type { ContainerLifecycle, ExitRecord } from "./state.ts";

/** The state as Docker names it. `starting` shows what was before; one that never ran is `created`, even if its start failed. */
export function statusName(lifecycle: ContainerLifecycle): ContainerStatusName {
	switch (lifecycle.kind) {
		case "created":
		case "running":
		case "paused":
		case "restarting":
		case "removing":
		case "dead":
			return lifecycle.kind;
		case "starting":
			return lifecycle.previous === undefined || lifecycle.previous.startedAt === 0 ? "created" : "exited";
		case "exited":
			return lifecycle.exit.startedAt === 0 ? "created" : "exited";
		default:
			return assertNever(lifecycle);
	}
}

/** The STATUS column of `ps`. @param now milliseconds since the epoch */
export function statusText(lifecycle: ContainerLifecycle, health: ContainerHealth | undefined, now: number): string {
	switch (lifecycle.kind) {
		case "running":
			return `Up ${humanDuration(now - lifecycle.startedAt)}${healthText(health)}`;
		case "paused":
			return `Up ${humanDuration(now - lifecycle.startedAt)} (Paused)`;
		case "restarting":
			return `Restarting (${lifecycle.exit.exitCode}) ${humanDuration(now - lifecycle.exit.finishedAt)} ago`;
		case "removing":
			return "Removal In Progress";
		case "dead":
			return "Dead";
		case "created":
			return "Created";
		case "starting":
			return exitedText(lifecycle.previous, now);
		case "exited":
			return exitedText(lifecycle.exit, now);
		default:
			return assertNever(lifecycle);
	}
}

function healthText(health: ContainerHealth | undefined): string {
	if (health === undefined) return "";
	return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

function exitedText(exit: ExitRecord | undefined, now: number): string {
	if (exit === undefined || exit.startedAt === 0) return "Created";
	if (exit.finishedAt === 0) return "";
	return `Exited (${exit.exitCode}) ${humanDuration(now - exit.finishedAt)} ago`;
}
