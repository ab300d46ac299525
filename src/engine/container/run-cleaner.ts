import { ConflictError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import type { ContainerRuntime, Task, TaskExit } from "../../core/container/runtime.ts";
import type { ContainerNetworking } from "../network/container-networking.ts";
import type { ContainerFilesystem } from "./filesystem.ts";
import type { RuntimeTable } from "./runtimes.ts";
import type { TaskTable } from "./tasks.ts";

const SIGKILL = 9;
/** A process that SIGKILL does not end in this time hangs in the kernel; Docker waits as long. */
export const KILL_PATIENCE_MS = 12_000;

export interface RunCleanerDependencies {
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly networking: ContainerNetworking;
	readonly filesystem: ContainerFilesystem;
	readonly files: ContainerHostFiles;
	readonly tasks: TaskTable;
	/** Those that the OCI runtime has left. */
	readonly removeCgroups: (record: ContainerRecord) => void;
}

/** Gives back everything that one run of a container took. Each step is idempotent, and one that fails stops none of the others. */
export class RunCleaner {
	readonly #deps: RunCleanerDependencies;

	constructor(deps: RunCleanerDependencies) {
		this.#deps = deps;
	}

	/** The events that come before `die`. @param record as it was while it ran */
	publishEnd(record: ContainerRecord): void {
		this.#deps.networking.publish(record, "disconnect");
		this.#deps.filesystem.publishUnmounts(record);
	}

	/**
	 * SIGKILL, and the end of the process.
	 * @param mayBeFrozen a frozen process gets its signal only when it thaws
	 */
	async kill(record: ContainerRecord, task: Task, mayBeFrozen: boolean): Promise<TaskExit> {
		const { runtime, runtimes } = this.#deps;
		try {
			await task.kill(SIGKILL);
		} catch (error) {
			// It ended by itself meanwhile.
			if (!(error instanceof ConflictError)) throw error;
		}
		// Fails for one that is not frozen, or that has ended.
		if (mayBeFrozen) await runtime.resume(runtimes.get(record.runtime), record.id).catch(() => undefined);
		return await task.exited;
	}

	/** @param record as it was while it ran, with its assigned endpoints. @throws AggregateError of what failed */
	async release(record: ContainerRecord, task: Task | undefined): Promise<void> {
		const { runtime, runtimes, networking, filesystem, files, tasks, removeCgroups } = this.#deps;
		const { id } = record;
		// The OCI runtime's state first: it may still hold the mounts and the namespace.
		const runtimeState = runtime.delete(runtimes.get(record.runtime), id);
		const results = await Promise.allSettled([
			runtimeState.then(() => filesystem.release(record)),
			runtimeState.then(() => removeCgroups(record)),
			networking.tearDown(record),
		]);
		files.removeBundle(id);
		// Last, since recovery finds by the monitor that there is something left of the run.
		await task?.forget();
		const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
		// A task that stays in the table tells a later removal that there is something left to give back.
		if (failures.length === 0 && task !== undefined && tasks.get(id) === task) tasks.delete(id);
		if (failures.length === 1) throw failures[0];
		if (failures.length > 1) throw new AggregateError(failures, "the run could not be cleaned up");
	}
}
