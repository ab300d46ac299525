import type { ContainerUpdateRequest } from "../../api/engine/container.ts";
import { EngineError, InvalidParameterError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import { normaliseName } from "../../core/container/name.ts";
import type { ContainerRuntime } from "../../core/container/runtime.ts";
import { isRunning, notRunning, transition } from "../../core/container/state.ts";
import { type ContainerUpdate, planUpdate } from "../../core/container/update.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { PortUpdater } from "../network/port-updater.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { RuntimeTable } from "./runtimes.ts";
import type { TaskTable } from "./tasks.ts";

export interface ContainerChangesDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly host: HostFacts;
	readonly events: EventPublisher;
	/** The network's names of a running container change with its own. */
	readonly renamed: (record: ContainerRecord) => void;
	readonly ports: PortUpdater;
}

/** What can be changed of a container that stays: pause, name, limits, terminal size. */
export class ContainerChanges {
	readonly #deps: ContainerChangesDependencies;

	constructor(deps: ContainerChangesDependencies) {
		this.#deps = deps;
	}

	/** Stored before it is done: recovery freezes a container again that its record calls paused. */
	async pause(name: string): Promise<void> {
		const { registry, runtime, runtimes, events } = this.#deps;
		const { id } = registry.resolve(name);
		await registry.locked(id, async () => {
			const record = registry.get(id);
			registry.update(id, { lifecycle: transition(record.lifecycle, { kind: "paused" }, id) });
			try {
				await runtime.pause(runtimes.get(record.runtime), id);
			} catch (error) {
				registry.update(id, { lifecycle: record.lifecycle });
				throw error;
			}
			publishContainerEvent(events, record, "pause");
		});
	}

	async unpause(name: string): Promise<void> {
		const { registry, runtime, runtimes, events } = this.#deps;
		const { id } = registry.resolve(name);
		await registry.locked(id, async () => {
			const record = registry.get(id);
			const lifecycle = transition(record.lifecycle, { kind: "resumed" }, id);
			await runtime.resume(runtimes.get(record.runtime), id);
			registry.update(id, { lifecycle });
			publishContainerEvent(events, record, "unpause");
		});
	}

	async rename(name: string, newName: string): Promise<void> {
		const { registry, events } = this.#deps;
		const { id } = registry.resolve(name);
		if (newName === "") throw new InvalidParameterError("Neither old nor new names may be empty");
		await registry.locked(id, () => {
			const old = registry.get(id).name;
			const wanted = checkedName(newName);
			if (wanted === old)
				throw new InvalidParameterError("Renaming a container with the same name as its current name");
			nameable(() => registry.checkName(wanted));
			const record = registry.update(id, { name: wanted });
			this.#deps.renamed(record);
			publishContainerEvent(events, record, "rename", { oldName: `/${old}` });
		});
	}

	/** The kernel first: what it refuses is not stored. */
	async update(name: string, request: ContainerUpdateRequest): Promise<{ Warnings: string[] }> {
		const { registry, runtime, runtimes, events, host } = this.#deps;
		const { id } = registry.resolve(name);
		return await registry.locked(id, async () => {
			const record = registry.get(id);
			const plan: ContainerUpdate = planUpdate(record, request, host);
			if (isRunning(record.lifecycle) && plan.resources !== undefined)
				await runtime.update(runtimes.get(record.runtime), id, plan.resources);
			const updated = registry.update(id, { hostConfig: plan.hostConfig });
			await this.#deps.ports.update(updated, request);
			publishContainerEvent(events, updated, "update");
			return { Warnings: [...plan.warnings] };
		});
	}

	async resize(name: string, width: number, height: number): Promise<void> {
		const { registry, tasks, events } = this.#deps;
		const record = registry.resolve(name);
		const task = tasks.get(record.id);
		if (task === undefined || !isRunning(record.lifecycle)) throw notRunning(record.id);
		await task.resize(width, height);
		publishContainerEvent(events, record, "resize", { height: String(height), width: String(width) });
	}
}

function checkedName(name: string): string {
	return nameable(() => normaliseName(name));
}

function nameable<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (!(error instanceof EngineError)) throw error;
		throw new EngineError(error.kind, `Error when allocating new name: ${error.message}`, { cause: error });
	}
}
