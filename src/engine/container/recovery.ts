import type { Clock } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { Pool } from "../../base/pool.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { snapshotIds } from "../../core/container/image-mounts.ts";
import {
	type ObservedMachine,
	type ObservedTask,
	planRecovery,
	type RecoveryOperation,
} from "../../core/container/recovery.ts";
import type { AdoptedTask, ContainerRuntime, Task } from "../../core/container/runtime.ts";
import { transition } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { NetworkDriver } from "../../core/network/driver.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { ContainerNetworking } from "../network/container-networking.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { PortUpdater } from "../network/port-updater.ts";
import type { VolumeService } from "../volume/volume-service.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerFilesystem } from "./filesystem.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { ContainerRemoval } from "./removal.ts";
import type { RunCleaner } from "./run-cleaner.ts";
import type { RuntimeTable } from "./runtimes.ts";
import { type ContainerStarter, withoutAssignments } from "./starter.ts";
import type { ContainerSupervisor } from "./supervisor.ts";

const PARALLEL_STARTS = 4;
/** As of every start that fails for another reason than the program itself. */
const START_FAILED = 128;

/** The drivers that are asked what there is, and told what to keep. */
export interface RecoveryDrivers {
	readonly runtime: ContainerRuntime;
	readonly network: NetworkDriver;
	readonly snapshotter: Snapshotter;
	readonly files: ContainerHostFiles;
}

/** The services that carry the plan out. */
export interface RecoveryServices {
	readonly registry: ContainerRegistry;
	readonly networks: NetworkService;
	readonly networking: ContainerNetworking;
	readonly portUpdater: PortUpdater;
	readonly volumes: VolumeService;
	readonly filesystem: ContainerFilesystem;
	readonly supervisor: ContainerSupervisor;
	readonly starter: ContainerStarter;
	readonly removal: ContainerRemoval;
	readonly cleaner: RunCleaner;
	readonly runtimes: RuntimeTable;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

/**
 * The start of the daemon: adopts what runs, records what ended meanwhile, finishes removals, undoes half a start, frees what
 * nobody owns, and starts what its policy wants. Observe, plan (pure, `core/container/recovery.ts`), execute.
 */
export class ContainerRecovery {
	readonly #drivers: RecoveryDrivers;
	readonly #services: RecoveryServices;
	readonly #adopted = new Map<string, AdoptedTask>();

	constructor(drivers: RecoveryDrivers, services: RecoveryServices) {
		this.#drivers = drivers;
		this.#services = services;
	}

	/**
	 * One operation that fails is logged and stops none of the others: one broken container must not keep the daemon down.
	 * @returns the starts by policy, which go on while the daemon already answers; each logs its own failure
	 */
	async recover(): Promise<{ readonly starts: Promise<void> }> {
		const { registry, networks, volumes } = this.#services;
		const { network, files } = this.#drivers;
		const records = registry.all();
		const plan = planRecovery(records, await this.#observe(records));
		const live = new Set(plan.flatMap((operation) => (isLive(operation) ? [operation.containerId] : [])));
		const running = records.filter(({ id }) => live.has(id));
		await network.initialize({ sandboxes: live, endpoints: new Set(running.flatMap(endpointsOf)) });
		await networks.initialize();
		await volumes.cleanUp(new Map(running.map((record) => [record.id, volumesOf(record)])));
		for (const operation of plan) if (operation.kind !== "start") await this.#execute(operation);
		for (const record of registry.all()) await this.#finishPorts(record);
		await files.cleanUp({ containers: new Set(registry.all().map(({ id }) => id)), running: live });
		return { starts: this.#startAll(plan) };
	}

	async #finishPorts(record: ContainerRecord): Promise<void> {
		try {
			await this.#services.portUpdater.finish(record);
		} catch (error) {
			this.#services.logger.error("change of ports could not be completed", {
				container: record.id,
				error: errorMessage(error),
			});
		}
	}

	async #observe(records: readonly ContainerRecord[]): Promise<ObservedMachine> {
		const { runtime } = this.#drivers;
		const ids = await runtime.list();
		const adopted = await Promise.all(ids.map(async (id) => [id, await runtime.adopt(id)] as const));
		const tasks = new Map<string, ObservedTask>();
		for (const [id, task] of adopted) {
			this.#adopted.set(id, task);
			tasks.set(id, observed(task));
		}
		return {
			now: this.#services.clock.now(),
			tasks,
			// Unmounting what is not mounted costs nothing: there is no need to look first.
			mounts: new Set(records.map(({ id }) => id)),
			// The network driver drops those that are not to be kept itself.
			sandboxes: new Set(),
		};
	}

	async #execute(operation: RecoveryOperation): Promise<void> {
		const { logger } = this.#services;
		const { kind, cause, ...subject } = operation;
		logger.debug("recovery", { operation: kind, because: cause, ...subject });
		try {
			await this.#perform(operation);
		} catch (error) {
			logger.error("recovery failed", { operation: kind, because: cause, ...subject, error: errorMessage(error) });
		}
	}

	async #perform(operation: RecoveryOperation): Promise<void> {
		const { registry, removal } = this.#services;
		const { network, snapshotter } = this.#drivers;
		switch (operation.kind) {
			case "adopt":
				return await this.#adopt(registry.get(operation.containerId));
			case "record-start":
				return await this.#recordStart(registry.get(operation.containerId), operation.pid);
			case "record-exit":
				return await this.#recordExit(registry.get(operation.containerId), operation.exit);
			case "undo-start":
				return await this.#undoStart(registry.get(operation.containerId));
			case "finish-removal": {
				const runs = this.#adopted.get(operation.containerId)?.kind === "running";
				return await removal.finish(registry.get(operation.containerId), this.#task(operation.containerId), runs);
			}
			case "discard-task":
				return await this.#discard(operation.taskId);
			case "unmount": {
				const record = registry.find(operation.containerId);
				const ids = record === undefined ? [operation.containerId] : snapshotIds(record);
				for (const id of ids) await snapshotter.unmount(id);
				return;
			}
			case "remove-sandbox":
				return await network.removeSandbox(operation.containerId);
			case "start":
				return;
		}
	}

	async #adopt(record: ContainerRecord): Promise<void> {
		const { networking, filesystem, supervisor, runtimes } = this.#services;
		const task = this.#task(record.id);
		if (task === undefined) return;
		await networking.adopt(record);
		await filesystem.adopt(record);
		supervisor.watch(record.id, task);
		// The pause may have been stored and not yet done.
		if (record.lifecycle.kind === "paused") await this.#drivers.runtime.pause(runtimes.get(record.runtime), record.id);
	}

	async #recordStart(record: ContainerRecord, pid: number): Promise<void> {
		const { registry, clock, events } = this.#services;
		const lifecycle = transition(record.lifecycle, { kind: "started", pid, at: clock.now() }, record.id);
		const started = registry.update(record.id, { lifecycle });
		publishContainerEvent(events, started, "start");
		await this.#adopt(started);
	}

	async #recordExit(record: ContainerRecord, exit: Parameters<ContainerSupervisor["recordEnd"]>[1]): Promise<void> {
		const { supervisor, cleaner } = this.#services;
		supervisor.recordEnd(record, exit, { removing: false });
		await cleaner.release(record, this.#take(record.id));
	}

	async #undoStart(record: ContainerRecord): Promise<void> {
		const { registry, cleaner, clock } = this.#services;
		await cleaner.release(record, this.#take(record.id));
		const error = "the daemon was ended while the container was being started";
		const failed = { kind: "start-failed", exitCode: START_FAILED, error, at: clock.now() } as const;
		registry.update(record.id, {
			lifecycle: transition(record.lifecycle, failed, record.id),
			endpoints: withoutAssignments(record),
			mappings: [],
		});
	}

	/** The rest of a run whose end is on record, or an exec: one that still runs is left to its own end. */
	async #discard(id: string): Promise<void> {
		const { registry, cleaner, logger } = this.#services;
		const adopted = this.#adopted.get(id);
		if (adopted === undefined) return;
		const record = registry.find(id);
		if (record !== undefined) return await cleaner.release(record, this.#take(id));
		if (adopted.kind === "lost") return;
		if (adopted.kind === "exited") return await adopted.task.forget();
		void adopted.task.exited
			.then(() => adopted.task.forget())
			.catch((error: unknown) =>
				logger.warn("an exec's monitor could not be dismissed", { exec: id, error: errorMessage(error) }),
			);
	}

	async #startAll(plan: readonly RecoveryOperation[]): Promise<void> {
		const { registry, starter, logger } = this.#services;
		const pool = new Pool(PARALLEL_STARTS);
		const starts = plan.flatMap((operation) => (operation.kind === "start" ? [operation] : []));
		await Promise.all(
			starts.map(({ containerId, cause }) =>
				pool.run(async () => {
					try {
						await registry.locked(containerId, () => starter.start(containerId, "policy"));
					} catch (error) {
						logger.error("start failed", { container: containerId, because: cause, error: errorMessage(error) });
					}
				}),
			),
		);
	}

	#task(id: string): Task | undefined {
		const adopted = this.#adopted.get(id);
		return adopted === undefined || adopted.kind === "lost" ? undefined : adopted.task;
	}

	/** For an operation that dismisses the monitor, so that no later one does it again. */
	#take(id: string): Task | undefined {
		const task = this.#task(id);
		this.#adopted.delete(id);
		return task;
	}
}

function observed(task: AdoptedTask): ObservedTask {
	switch (task.kind) {
		case "running":
			return { kind: "running", pid: task.task.pid };
		case "exited":
			return { kind: "exited", exit: task.exit };
		case "lost":
			return { kind: "lost" };
	}
}

function isLive(
	operation: RecoveryOperation,
): operation is Extract<RecoveryOperation, { kind: "adopt" | "record-start" }> {
	return operation.kind === "adopt" || operation.kind === "record-start";
}

function endpointsOf(record: ContainerRecord): string[] {
	return Object.values(record.endpoints).flatMap(({ assigned }) =>
		assigned === undefined ? [] : [assigned.endpointId],
	);
}

function volumesOf(record: ContainerRecord): string[] {
	return record.mounts.flatMap((mount) => (mount.type === "volume" ? [mount.source] : []));
}
