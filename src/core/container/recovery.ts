/**
 * What to do when the daemon starts: pure comparison of the stored records with what is found on the machine. The executor
 * carries the operations out in order and decides nothing. Running the plan twice is harmless.
 */
import { assertNever } from "../../base/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import { restartsWithDaemon } from "./restart-policy.ts";
import type { TaskExit } from "./runtime.ts";
import { lastExit } from "./state.ts";

export type ObservedTask =
	| { readonly kind: "running"; readonly pid: number }
	| { readonly kind: "exited"; readonly exit: TaskExit }
	| { readonly kind: "lost" };

export interface ObservedMachine {
	/** Milliseconds since the epoch. */
	readonly now: number;
	/** By task ID (container or exec). A container without an entry has no monitor. */
	readonly tasks: ReadonlyMap<string, ObservedTask>;
	/** IDs of containers whose root file system is mounted. */
	readonly mounts: ReadonlySet<string>;
	/** IDs of containers that have a network namespace. */
	readonly sandboxes: ReadonlySet<string>;
}

export type RecoveryOperation = { readonly cause: string } & (
	| { readonly kind: "adopt"; readonly containerId: string; readonly pid: number }
	/** Its monitor started it, the record does not say so yet. */
	| { readonly kind: "record-start"; readonly containerId: string; readonly pid: number }
	| { readonly kind: "record-exit"; readonly containerId: string; readonly exit: TaskExit }
	/** The start never got as far as a process: back to what it was, with an error. */
	| { readonly kind: "undo-start"; readonly containerId: string }
	/** Kills what runs, frees everything, deletes the record. */
	| { readonly kind: "finish-removal"; readonly containerId: string }
	| { readonly kind: "start"; readonly containerId: string }
	/** A monitor that no record knows, or whose process is over. */
	| { readonly kind: "discard-task"; readonly taskId: string }
	| { readonly kind: "unmount"; readonly containerId: string }
	| { readonly kind: "remove-sandbox"; readonly containerId: string }
);

/** Exit code of a container that ended unseen, with its monitor (a crash of the machine); Docker's choice too. */
const LOST_EXIT_CODE = 255;

/** Operations in the order to run them: records first, then leftovers, then starts. */
export function planRecovery(records: readonly ContainerRecord[], observed: ObservedMachine): RecoveryOperation[] {
	const settled: RecoveryOperation[] = [];
	const starts: RecoveryOperation[] = [];
	const live = new Set<string>();
	for (const record of records) {
		const operations = settle(record, observed);
		settled.push(...operations);
		if (operations.some(({ kind }) => kind === "adopt" || kind === "record-start")) live.add(record.id);
		else if (!operations.some(({ kind }) => kind === "finish-removal")) starts.push(...planStart(record, operations));
	}
	return [...settled, ...planLeftovers(records, observed, live), ...starts];
}

function settle(record: ContainerRecord, observed: ObservedMachine): RecoveryOperation[] {
	const containerId = record.id;
	const task = observed.tasks.get(containerId) ?? { kind: "lost" as const };
	switch (record.lifecycle.kind) {
		case "removing":
			return [{ kind: "finish-removal", containerId, cause: "its removal had begun" }];
		case "starting":
			if (task.kind === "running")
				return [{ kind: "record-start", containerId, pid: task.pid, cause: "it runs, its start was not recorded" }];
			if (task.kind === "lost")
				return afterEnd(record, { kind: "undo-start", containerId, cause: "its start had not finished" });
			return afterEnd(record, {
				kind: "record-exit",
				containerId,
				exit: task.exit,
				cause: "it started and ended unseen",
			});
		case "running":
		case "paused":
			if (task.kind === "running") return [{ kind: "adopt", containerId, pid: task.pid, cause: "it runs" }];
			if (task.kind === "exited")
				return afterEnd(record, { kind: "record-exit", containerId, exit: task.exit, cause: "it ended unseen" });
			return afterEnd(record, {
				kind: "record-exit",
				containerId,
				exit: lostExit(observed.now),
				cause: "its monitor is gone",
			});
		case "exited":
			return record.hostConfig.AutoRemove === true
				? [{ kind: "finish-removal", containerId, cause: "it has ended and is to be removed" }]
				: [];
		case "created":
		case "restarting":
		case "dead":
			return [];
		default:
			return assertNever(record.lifecycle);
	}
}

/** `--rm` goes for ends that nobody saw too. */
function afterEnd(record: ContainerRecord, operation: RecoveryOperation): RecoveryOperation[] {
	if (record.hostConfig.AutoRemove !== true) return [operation];
	return [operation, { kind: "finish-removal", containerId: record.id, cause: "it has ended and is to be removed" }];
}

function lostExit(now: number): TaskExit {
	return { exitCode: LOST_EXIT_CODE, oomKilled: false, finishedAt: now };
}

function planStart(record: ContainerRecord, settled: readonly RecoveryOperation[]): RecoveryOperation[] {
	if (record.lifecycle.kind === "dead" || record.lifecycle.kind === "created") return [];
	const containerId = record.id;
	if (record.lifecycle.kind === "restarting")
		return [{ kind: "start", containerId, cause: "it was waiting for its restart" }];
	const ended = settled.find((operation) => operation.kind === "record-exit");
	const exitCode = ended?.exit.exitCode ?? lastExit(record.lifecycle)?.exitCode ?? 0;
	const policy = record.hostConfig.RestartPolicy ?? {};
	const { restartCount, stoppedByUser } = record;
	if (!restartsWithDaemon(policy, { exitCode, restartCount, stoppedByUser })) return [];
	return [{ kind: "start", containerId, cause: `its restart policy is ${policy.Name}` }];
}

function planLeftovers(
	records: readonly ContainerRecord[],
	observed: ObservedMachine,
	live: ReadonlySet<string>,
): RecoveryOperation[] {
	const known = new Set(records.map(({ id }) => id));
	const cause = (id: string) => (known.has(id) ? "its container does not run" : "no container has it");
	const over = (ids: Iterable<string>) => [...ids].filter((id) => !live.has(id)).sort();
	return [
		...over(observed.tasks.keys()).map((id) => ({ kind: "discard-task" as const, taskId: id, cause: cause(id) })),
		...over(observed.sandboxes).map((id) => ({ kind: "remove-sandbox" as const, containerId: id, cause: cause(id) })),
		...over(observed.mounts).map((id) => ({ kind: "unmount" as const, containerId: id, cause: cause(id) })),
	];
}
