import type {
	ContainerCreateRequest,
	ContainerCreateResponse,
	ContainerPruneResponse,
	ContainerUpdateRequest,
	ContainerWaitResponse,
} from "../../api/engine/container.ts";
import type { Filters } from "../../api/engine/filters.ts";
import { isRunning, lastExit } from "../../core/container/state.ts";
import type { ContainerChanges } from "./changes.ts";
import type { ContainerCreator, CreateOptions } from "./create.ts";
import type { ContainerPruner } from "./prune.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { ContainerRemoval, RemoveOptions } from "./removal.ts";
import type { ContainerStarter } from "./starter.ts";
import type { ContainerStopper, StopOptions } from "./stopping.ts";
import type { ContainerSupervisor } from "./supervisor.ts";
import type { ContainerWaits, WaitCondition } from "./waits.ts";

export interface ContainerServiceDependencies {
	readonly registry: ContainerRegistry;
	readonly creator: ContainerCreator;
	readonly starter: ContainerStarter;
	readonly stopper: ContainerStopper;
	readonly changes: ContainerChanges;
	readonly removal: ContainerRemoval;
	readonly pruner: ContainerPruner;
	readonly supervisor: ContainerSupervisor;
	readonly waits: ContainerWaits;
}

/** The life of containers, as the Engine API has it: one method for each of its operations. */
export class ContainerService {
	readonly #deps: ContainerServiceDependencies;

	constructor(deps: ContainerServiceDependencies) {
		this.#deps = deps;
	}

	create(request: ContainerCreateRequest, options: CreateOptions): Promise<ContainerCreateResponse> {
		return this.#deps.creator.create(request, options);
	}

	/** With `--rm`, a container that cannot be started is removed, as Docker does. */
	async start(name: string): Promise<void> {
		const { registry, starter, supervisor, removal } = this.#deps;
		const { id } = registry.resolve(name);
		try {
			await registry.locked(id, () => {
				const running = isRunning(registry.get(id).lifecycle);
				if (!running) supervisor.cancelRestart(id);
				return starter.start(id, "user");
			});
		} catch (error) {
			const record = registry.find(id);
			if (record?.hostConfig.AutoRemove === true && record.lifecycle.kind === "exited" && !registry.isHidden(id))
				await removal.remove(id, { force: true, volumes: true, link: false });
			throw error;
		}
	}

	stop(name: string, options: StopOptions): Promise<void> {
		return this.#deps.stopper.stop(name, options);
	}

	restart(name: string, options: StopOptions): Promise<void> {
		return this.#deps.stopper.restart(name, options);
	}

	kill(name: string, signal: string): Promise<void> {
		return this.#deps.stopper.kill(name, signal);
	}

	pause(name: string): Promise<void> {
		return this.#deps.changes.pause(name);
	}

	unpause(name: string): Promise<void> {
		return this.#deps.changes.unpause(name);
	}

	rename(name: string, newName: string): Promise<void> {
		return this.#deps.changes.rename(name, newName);
	}

	update(name: string, request: ContainerUpdateRequest): Promise<{ Warnings: string[] }> {
		return this.#deps.changes.update(name, request);
	}

	resize(name: string, width: number, height: number): Promise<void> {
		return this.#deps.changes.resize(name, width, height);
	}

	remove(name: string, options: RemoveOptions): Promise<void> {
		return this.#deps.removal.remove(name, options);
	}

	prune(filters: Filters): Promise<ContainerPruneResponse> {
		return this.#deps.pruner.prune(filters);
	}

	/** The waiter is registered when the promise resolves; `result` settles when the condition holds. */
	async wait(
		name: string,
		condition: WaitCondition,
		signal: AbortSignal,
	): Promise<{ readonly result: Promise<ContainerWaitResponse> }> {
		const { lifecycle, id } = this.#deps.registry.resolve(name);
		if (condition === "not-running" && !isRunning(lifecycle))
			return { result: Promise.resolve({ StatusCode: lastExit(lifecycle)?.exitCode ?? 0 }) };
		return { result: this.#deps.waits.register(id, condition, signal) };
	}
}
