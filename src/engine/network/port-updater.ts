import type { ContainerUpdateRequest, PortMap } from "../../api/engine/container.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import { planPortUpdate } from "../../core/container/port-update.ts";
import type { Task } from "../../core/container/runtime.ts";
import { isRunning } from "../../core/container/state.ts";
import type { PortMapping } from "../../core/network/driver.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { TaskTable } from "../container/tasks.ts";
import type { ContainerNetworking } from "./container-networking.ts";
import type { ContainerPorts } from "./container-ports.ts";
import { relayTarget } from "./network-plan.ts";

export interface PortUpdaterDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly networking: ContainerNetworking;
	readonly ports: ContainerPorts;
	readonly logger: Logger;
}

type PortState = Pick<ContainerRecord, "config" | "hostConfig" | "mappings">;

/**
 * Published ports that come and go while the container runs: the record first, then the monitor, which holds the host port,
 * and the firewall. All callers have the container's lock.
 */
export class PortUpdater {
	readonly #deps: PortUpdaterDependencies;

	constructor(deps: PortUpdaterDependencies) {
		this.#deps = deps;
	}

	/** All of it or nothing. @throws InvalidParameterError, ConflictError, PortUnavailableError, NotImplementedError */
	async update(record: ContainerRecord, request: ContainerUpdateRequest): Promise<void> {
		const plan = planPortUpdate(record, request);
		if (plan === undefined) return;
		const { registry } = this.#deps;
		const settled = stateWith(record, plan.bindings);
		if (!isRunning(record.lifecycle)) return void registry.update(record.id, settled);
		const kept = record.mappings.filter((mapping) => !plan.removed.includes(mapping));
		// Those that go first: one of those that come may have their host port.
		const removed = await this.#change(
			record,
			{ ...stateWith(record, plan.withoutRemoved), mappings: kept },
			{ added: [], removed: plan.removed },
		);
		try {
			await this.#add(removed, settled, plan.added);
		} catch (error) {
			await this.#putBack(removed, record, plan.removed);
			throw error;
		}
	}

	/** A change that a crash cut short is completed; a container that has ended meanwhile has no ports any more. */
	async finish(record: ContainerRecord): Promise<void> {
		const { portChange } = record;
		if (portChange === undefined || portChange === null) return;
		const { registry, tasks, logger } = this.#deps;
		let { mappings } = record;
		if (isRunning(record.lifecycle)) {
			const task = tasks.running(record.id);
			for (const mapping of portChange.added)
				try {
					await this.#publish(task, record, mapping);
				} catch (error) {
					logger.warn("port could not be published", {
						container: record.id,
						port: mapping.hostPort,
						error: errorMessage(error),
					});
					mappings = mappings.filter((each) => !isSame(each, mapping));
				}
			for (const mapping of portChange.removed) await unpublish(task, mapping);
		}
		const settled = registry.update(record.id, { mappings, portChange: null });
		if (isRunning(settled.lifecycle)) await this.#deps.networking.applyGateways(settled);
	}

	async #add(record: ContainerRecord, settled: Omit<PortState, "mappings">, added: PortMap): Promise<void> {
		const { networking, ports } = this.#deps;
		const { gateways } = networking.planOf(record);
		const asked = { ...record, hostConfig: { ...record.hostConfig, PortBindings: added, PublishAllPorts: false } };
		const { mappings, reservation } = ports.reserve(asked, gateways);
		// The monitor binds the same ports in a moment: what was found out is which ones are free.
		reservation?.release();
		await this.#change(
			record,
			{ ...settled, mappings: [...record.mappings, ...mappings] },
			{ added: mappings, removed: [] },
		);
	}

	async #change(
		record: ContainerRecord,
		state: PortState,
		portChange: NonNullable<ContainerRecord["portChange"]>,
	): Promise<ContainerRecord> {
		const { registry, tasks, networking } = this.#deps;
		const { added, removed } = portChange;
		const changed = registry.update(record.id, { ...state, portChange });
		const task = tasks.running(record.id);
		try {
			for (const mapping of added) await this.#publish(task, changed, mapping);
			await networking.applyGateways(changed);
			for (const mapping of removed) await unpublish(task, mapping);
		} catch (error) {
			const { config, hostConfig, mappings } = record;
			const restored = registry.update(record.id, { config, hostConfig, mappings, portChange: null });
			await this.#quietly(restored, async () => {
				for (const mapping of added) await unpublish(task, mapping);
				await networking.applyGateways(restored);
			});
			throw error;
		}
		// It may have ended under our hands: nobody's ports are published any more.
		const isOver = !isRunning(registry.get(record.id).lifecycle);
		return registry.update(record.id, { portChange: null, ...(isOver ? { mappings: [] } : {}) });
	}

	async #putBack(current: ContainerRecord, before: ContainerRecord, removed: readonly PortMapping[]): Promise<void> {
		const { config, hostConfig, mappings } = before;
		await this.#quietly(current, async () => {
			await this.#change(
				this.#deps.registry.get(current.id),
				{ config, hostConfig, mappings },
				{ added: removed, removed: [] },
			);
		});
	}

	async #publish(task: Task, record: ContainerRecord, mapping: PortMapping): Promise<void> {
		// A routed network's ports have no socket of the host's.
		if (mapping.hostPort === 0) return;
		await task.publish(mapping, relayTarget(this.#deps.networking.planOf(record)));
	}

	/** The first error is the one to tell. */
	async #quietly(record: ContainerRecord, work: () => Promise<void>): Promise<void> {
		try {
			await work();
		} catch (error) {
			this.#deps.logger.error("ports could not be put back", { container: record.id, error: errorMessage(error) });
		}
	}
}

async function unpublish(task: Task, mapping: PortMapping): Promise<void> {
	if (mapping.hostPort !== 0) await task.unpublish(mapping);
}

function isSame(a: PortMapping, b: PortMapping): boolean {
	return a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort;
}

/** Published ports are exposed ones, too. */
function stateWith(record: ContainerRecord, bindings: PortMap): Omit<PortState, "mappings"> {
	const exposed = Object.fromEntries(Object.keys(bindings).map((key) => [key, {}]));
	return {
		config: { ...record.config, ExposedPorts: { ...record.config.ExposedPorts, ...exposed } },
		hostConfig: { ...record.hostConfig, PortBindings: bindings },
	};
}
