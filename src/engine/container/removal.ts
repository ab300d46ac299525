import { type Clock, settlesWithin } from "../../base/clock.ts";
import { ConflictError, errorMessage, NotFoundError, SystemError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { snapshotIds } from "../../core/container/image-mounts.ts";
import type { Task } from "../../core/container/runtime.ts";
import {
	type ContainerLifecycle,
	isRunning,
	lastExit,
	removalRefusal,
	transition,
} from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { PendingAttachments } from "./attachments.ts";
import type { BackgroundWork } from "./background-work.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerFilesystem } from "./filesystem.ts";
import type { ContainerRegistry } from "./registry.ts";
import { KILL_PATIENCE_MS, type RunCleaner } from "./run-cleaner.ts";
import type { TaskTable } from "./tasks.ts";
import type { ContainerWaits } from "./waits.ts";

const SIGKILL = 9;

/** What removal shares with the rest of a container's life. */
export interface RemovalDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly waits: ContainerWaits;
	readonly attachments: PendingAttachments;
	readonly background: BackgroundWork;
	readonly cleaner: RunCleaner;
	readonly filesystem: ContainerFilesystem;
	readonly files: ContainerHostFiles;
	readonly snapshotter: Snapshotter;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

/** What a removal sets off, in other services. */
export interface RemovalHooks {
	readonly cancelRestart: (id: string) => void;
	/** A run has ended. */
	readonly runEnded: (id: string) => void;
	/** The container is gone; its image's layers may be free now. */
	readonly removed: (record: ContainerRecord) => void;
}

export interface RemoveOptions {
	readonly force: boolean;
	readonly volumes: boolean;
	readonly link: boolean;
}

/** Deletes containers: the record says `removing` first, so that a removal once begun is completed, crash or not. */
export class ContainerRemoval {
	readonly #deps: RemovalDependencies;
	readonly #hooks: RemovalHooks;

	constructor(deps: RemovalDependencies, hooks: RemovalHooks) {
		this.#deps = deps;
		this.#hooks = hooks;
	}

	/** @throws NotFoundError, ConflictError, SystemError */
	async remove(name: string, options: RemoveOptions): Promise<void> {
		if (options.link) return await this.#removeLink(name);
		const { registry, background } = this.#deps;
		const { id } = registry.resolve(name);
		await registry.locked(id, async () => {
			await background.settled(id);
			const record = registry.find(id);
			if (record === undefined || registry.isHidden(id)) throw new NotFoundError(`No such container: ${name}`);
			if (!options.force) {
				const refusal = removalRefusal(record.lifecycle, record.name);
				if (refusal !== undefined) throw refusal;
			}
			await this.#removeLocked(record, options.volumes);
		});
	}

	/** @param name `parent/alias`: the parent loses its link, which shows at its next start */
	async #removeLink(name: string): Promise<void> {
		const { registry } = this.#deps;
		const path = name.replace(/^\//, "");
		const slash = path.lastIndexOf("/");
		if (slash < 0) registry.resolve(path);
		if (slash < 0) throw new ConflictError("Conflict, cannot remove the default link name of the container");
		const { id } = registry.resolve(path.slice(0, slash));
		const alias = path.slice(slash + 1);
		await registry.locked(id, () => {
			const { hostConfig } = registry.get(id);
			const links = hostConfig.Links ?? [];
			const kept = links.filter((link) => link.slice(link.lastIndexOf(":") + 1).replace(/^\//, "") !== alias);
			if (kept.length === links.length) throw new NotFoundError(`No such link: ${name}`);
			registry.update(id, { hostConfig: { ...hostConfig, Links: kept } });
		});
	}

	/** Completes the removal of a container that has ended with `--rm`, off the critical path. The caller holds the lock. */
	removeEnded(record: ContainerRecord, task: Task): void {
		const { registry, background, waits } = this.#deps;
		const { id } = record;
		// Whoever waits for the removal may look for anonymous volumes next: those have to be gone by then.
		const answerNow = !record.mounts.some((mount) => mount.volume?.anonymous === true);
		const exitCode = lastExit(registry.get(id).lifecycle)?.exitCode ?? 0;
		registry.hide(id);
		this.#deps.attachments.abandon(id);
		if (answerNow) waits.removed(id, exitCode);
		void background.start(id, "remove a container", async () => {
			try {
				await this.#destroy(record, task, true);
			} finally {
				waits.removed(id, exitCode);
			}
		});
	}

	/**
	 * At daemon start, for a record that says `removing` or is to be removed.
	 * @param task its monitor, when there still is one; `runs`: its process does, too
	 */
	async finish(record: ContainerRecord, task: Task | undefined, runs: boolean): Promise<void> {
		const { registry, cleaner, background } = this.#deps;
		if (record.lifecycle.kind !== "removing")
			registry.update(record.id, { lifecycle: { kind: "removing", exit: lastExit(record.lifecycle) } });
		const finish = async () => {
			if (runs && task !== undefined) await cleaner.kill(record, task, true);
			await cleaner.release(record, task);
			const volumes = record.lifecycle.kind === "removing" && record.lifecycle.volumes === true;
			await this.#destroy(record, undefined, volumes || record.hostConfig.AutoRemove === true);
		};
		if (!runs) return await finish();
		// A process that hangs in the kernel must not keep the daemon from starting.
		registry.hide(record.id);
		void background.start(record.id, "finish a removal", finish);
	}

	async #removeLocked(record: ContainerRecord, volumes: boolean): Promise<void> {
		const { registry, tasks, waits, attachments } = this.#deps;
		const { id } = record;
		this.#hooks.cancelRestart(id);
		const exit = lastExit(record.lifecycle);
		const task = tasks.get(id);
		const ran = isRunning(record.lifecycle);
		registry.update(id, { lifecycle: { kind: "removing", exit, volumes }, stoppedByUser: true });
		try {
			if (ran && task !== undefined) await this.#kill(record, task);
			await this.#destroy(record, task, volumes);
		} catch (cause) {
			const message = `container ${id}: ${errorMessage(cause)}`;
			const { lifecycle } = registry.get(id);
			const goesOn = cause instanceof HangingProcessError;
			registry.update(id, {
				lifecycle: goesOn ? hanging(record) : transition(lifecycle, { kind: "remove-failed" }, id),
			});
			waits.removalFailed(id, exit?.exitCode ?? 0, message);
			throw new SystemError(message, { cause });
		}
		attachments.abandon(id);
	}

	async #kill(record: ContainerRecord, task: Task): Promise<void> {
		const { registry, waits, events, cleaner } = this.#deps;
		const { id } = record;
		publishContainerEvent(events, record, "kill", { signal: String(SIGKILL) });
		const killed = cleaner.kill(record, task, record.lifecycle.kind === "paused");
		if (!(await settlesWithin(this.#deps.clock, KILL_PATIENCE_MS, killed))) throw new HangingProcessError();
		const exit = await killed;
		this.#hooks.runEnded(id);
		const { lifecycle } = registry.get(id);
		const startedAt = isRunning(record.lifecycle) ? record.lifecycle.startedAt : exit.finishedAt;
		registry.update(id, { lifecycle: transition(lifecycle, { kind: "ended", exit, restart: false }, id) });
		cleaner.publishEnd(record);
		publishContainerEvent(events, record, "die", {
			execDuration: String(Math.max(0, Math.floor((exit.finishedAt - startedAt) / 1000))),
			exitCode: String(exit.exitCode),
		});
		waits.ended(id, exit.exitCode);
	}

	/** @param record as it was while it ran, for what it held */
	async #destroy(record: ContainerRecord, task: Task | undefined, volumes: boolean): Promise<void> {
		const { registry, cleaner, filesystem, files, snapshotter, events, waits } = this.#deps;
		const { id } = record;
		if (task !== undefined || mayHoldResources(record)) await cleaner.release(record, task);
		if (volumes) await filesystem.removeAnonymousVolumes(record);
		for (const snapshot of snapshotIds(record)) await snapshotter.remove(snapshot);
		await files.removeDirectory(id);
		const exitCode = lastExit(registry.get(id).lifecycle)?.exitCode ?? 0;
		registry.delete(id);
		publishContainerEvent(events, record, "destroy");
		waits.removed(id, exitCode);
		this.#hooks.removed(record);
	}
}

/** What SIGKILL does not end is as it was, and thawed; the end that comes later is that of any run. */
function hanging({ id, lifecycle }: ContainerRecord): ContainerLifecycle {
	return lifecycle.kind === "paused" ? transition(lifecycle, { kind: "resumed" }, id) : lifecycle;
}

class HangingProcessError extends Error {
	constructor() {
		super("could not kill: tried to kill container, but did not receive an exit event");
	}
}

/** A container that was created only, or whose last run was cleaned up, holds nothing but its files. */
function mayHoldResources(record: ContainerRecord): boolean {
	return ["starting", "running", "paused", "dead"].includes(record.lifecycle.kind);
}
