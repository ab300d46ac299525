import type { Clock, Timer } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import { nextRestart, type Restart } from "../../core/container/restart-policy.ts";
import type { Task, TaskExit } from "../../core/container/runtime.ts";
import { isRunning, transition } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { BackgroundWork } from "./background-work.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { RunCleaner } from "./run-cleaner.ts";
import { withoutAssignments } from "./starter.ts";
import type { TaskTable } from "./tasks.ts";
import type { ContainerWaits } from "./waits.ts";

/** What the supervisor sets off, in other services. */
export interface SupervisorHooks {
	/** A run has begun. */
	readonly runStarted: (record: ContainerRecord, task: Task) => void;
	/** A run has ended, before anybody is told. */
	readonly runEnded: (id: string) => void;
	/** Starts it again by its policy; takes the lock itself. */
	readonly restart: (id: string) => Promise<void>;
	/** Completes the removal of a container whose record says `removing`; the lock is held. */
	readonly removeEnded: (record: ContainerRecord, task: Task) => void;
}

export interface SupervisorDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly waits: ContainerWaits;
	readonly cleaner: RunCleaner;
	readonly background: BackgroundWork;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

const RECORD_RETRY_MS = 1000;

interface BackOff {
	readonly delayMs: number;
	readonly timer: Timer | undefined;
}

/** Watches running containers: records their ends, restarts or removes them as their configuration says. */
export class ContainerSupervisor {
	readonly #deps: SupervisorDependencies;
	readonly #hooks: SupervisorHooks;
	readonly #backOffs = new Map<string, BackOff>();
	/** Containers that the user restarts at the moment: neither policy nor `--rm` applies to the end in between. */
	readonly #restartedByUser = new Set<string>();
	#isClosed = false;

	constructor(deps: SupervisorDependencies, hooks: SupervisorHooks) {
		this.#deps = deps;
		this.#hooks = hooks;
	}

	/** From now on the task's end is recorded, once the container's lock is free. */
	watch(id: string, task: Task): void {
		this.#deps.tasks.set(id, task);
		task.onOutOfMemory(() => this.#supervise("record out of memory", id, () => this.#outOfMemory(id, task)));
		void task.exited.then((exit) => this.#recordExit(id, task, exit));
		this.#hooks.runStarted(this.#deps.registry.get(id), task);
	}

	/** Runs `work` with the policy and `--rm` of the container held off. */
	async duringRestart<T>(id: string, work: () => Promise<T>): Promise<T> {
		this.#restartedByUser.add(id);
		try {
			return await work();
		} finally {
			this.#restartedByUser.delete(id);
		}
	}

	/** Forgets the back-off: the user has started, stopped or removed the container. */
	cancelRestart(id: string): void {
		this.#backOffs.get(id)?.timer?.cancel();
		this.#backOffs.delete(id);
	}

	/**
	 * Stores the end of a run and publishes it. The caller holds the lock.
	 * @param removing the record is to say that the container is being removed
	 */
	recordEnd(
		record: ContainerRecord,
		exit: TaskExit,
		options: { readonly restart?: Restart; readonly removing: boolean },
	) {
		const { registry, waits, events, cleaner } = this.#deps;
		const { id } = record;
		const restart = options.restart !== undefined;
		const ended = transition(record.lifecycle, { kind: "ended", exit, restart }, id);
		const lifecycle =
			options.removing && ended.kind !== "removing" ? transition(ended, { kind: "remove-requested" }, id) : ended;
		const updated = registry.update(id, {
			lifecycle,
			endpoints: withoutAssignments(record),
			mappings: [],
			...(restart ? { restartCount: record.restartCount + 1 } : {}),
		});
		cleaner.publishEnd(record);
		const startedAt = isRunning(record.lifecycle) ? record.lifecycle.startedAt : exit.finishedAt;
		publishContainerEvent(events, updated, "die", {
			execDuration: String(Math.max(0, Math.floor((exit.finishedAt - startedAt) / 1000))),
			exitCode: String(exit.exitCode),
		});
		waits.ended(id, exit.exitCode);
		return updated;
	}

	/** No restart begins after this, and clean-up that has begun is finished; running containers are left alone. */
	async close(): Promise<void> {
		this.#isClosed = true;
		for (const id of [...this.#backOffs.keys()]) this.cancelRestart(id);
		await this.#deps.background.allSettled();
	}

	/** Tried again until it is stored: a full disk must not leave a container that runs for ever. */
	#recordExit(id: string, task: Task, exit: TaskExit): void {
		const { registry, clock, logger } = this.#deps;
		void registry
			.locked(id, () => this.#ended(id, task, exit))
			.catch((error: unknown) => {
				if (this.#isClosed) return;
				logger.error("supervision failed", { what: "record exit", container: id, error: errorMessage(error) });
				clock.after(RECORD_RETRY_MS, () => this.#recordExit(id, task, exit));
			});
	}

	#supervise(what: string, id: string, work: () => Promise<void> | void): void {
		void this.#deps.registry.locked(id, work).catch((error: unknown) => {
			this.#deps.logger.error("supervision failed", { what, container: id, error: errorMessage(error) });
		});
	}

	#outOfMemory(id: string, task: Task): void {
		const { registry, tasks, events } = this.#deps;
		const record = registry.find(id);
		if (record === undefined || tasks.get(id) !== task) return;
		const lifecycle = transition(record.lifecycle, { kind: "out-of-memory" }, id);
		publishContainerEvent(events, registry.update(id, { lifecycle }), "oom");
	}

	#ended(id: string, task: Task, exit: TaskExit): void {
		const { registry, tasks } = this.#deps;
		const record = registry.find(id);
		// A removal that ran meanwhile has seen to it.
		if (record === undefined || tasks.get(id) !== task || !isRunning(record.lifecycle)) return;
		this.#hooks.runEnded(id);
		const held = this.#restartedByUser.has(id);
		const restart = held ? undefined : this.#restartOf(record, exit, record.lifecycle.startedAt);
		const removing = !held && restart === undefined && record.hostConfig.AutoRemove === true;
		this.recordEnd(record, exit, { ...(restart === undefined ? {} : { restart }), removing });
		if (removing) this.#hooks.removeEnded(record, task);
		else this.#cleanUp(record, task);
		if (restart !== undefined) this.#scheduleRestart(id, restart);
	}

	#cleanUp(record: ContainerRecord, task: Task): void {
		const { background, cleaner } = this.#deps;
		void background.start(record.id, "clean up after a run", () => cleaner.release(record, task));
	}

	#restartOf(record: ContainerRecord, exit: TaskExit, startedAt: number): Restart | undefined {
		if (this.#isClosed) return undefined;
		return nextRestart({
			policy: record.hostConfig.RestartPolicy ?? {},
			exitCode: exit.exitCode,
			restartCount: record.restartCount,
			ranForMs: exit.finishedAt - startedAt,
			stoppedByUser: record.stoppedByUser,
			previousDelayMs: this.#backOffs.get(record.id)?.delayMs ?? 0,
		});
	}

	#scheduleRestart(id: string, { delayMs }: Restart): void {
		const timer = this.#deps.clock.after(delayMs, () => {
			this.#backOffs.set(id, { delayMs, timer: undefined });
			void this.#hooks.restart(id).catch((error: unknown) => {
				this.#deps.logger.warn("restart by policy failed", { container: id, error: errorMessage(error) });
			});
		});
		this.#backOffs.set(id, { delayMs, timer });
	}
}
