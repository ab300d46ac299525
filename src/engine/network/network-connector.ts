import type { EndpointSettings } from "../../api/engine/container.ts";
import {
	EngineError,
	errorKind,
	errorMessage,
	ForbiddenError,
	InvalidParameterError,
	NotFoundError,
	SystemError,
} from "../../base/errors.ts";
import type { ContainerEndpoint, ContainerRecord } from "../../core/container/container-record.ts";
import { checkConnection } from "../../core/container/endpoints.ts";
import { containerOfMode } from "../../core/container/namespace-mode.ts";
import { isRunning } from "../../core/container/state.ts";
import type { NetworkDriver } from "../../core/network/driver.ts";
import { driverNetworkOf, type NetworkRecord } from "../../core/network/network-record.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { ContainerNames } from "./container-names.ts";
import type { ContainerNetworking } from "./container-networking.ts";
import type { EndpointAssigner } from "./endpoint-assigner.ts";
import type { NetworkFilesWriter } from "./network-files.ts";
import { endpointPlan, gatewaysOf, interfaceNameOf } from "./network-plan.ts";
import { endpointNetwork, type NetworkService } from "./network-service.ts";

export interface NetworkConnectorDependencies {
	readonly networks: NetworkService;
	readonly networking: ContainerNetworking;
	readonly assigner: EndpointAssigner;
	readonly names: ContainerNames;
	readonly files: NetworkFilesWriter;
	readonly driver: NetworkDriver;
	readonly registry: ContainerRegistry;
}

/**
 * Connects containers to networks and takes them off, running or not. The record comes first: what a crash leaves between it
 * and the kernel, the next start completes.
 */
export class NetworkConnector {
	readonly #deps: NetworkConnectorDependencies;

	constructor(deps: NetworkConnectorDependencies) {
		this.#deps = deps;
	}

	/** @throws NotFoundError, ForbiddenError, InvalidParameterError, SystemError */
	async connect(networkName: string, container: string, settings: EndpointSettings | undefined): Promise<void> {
		const { networks, registry } = this.#deps;
		if (container === "") throw new InvalidParameterError('invalid name or ID supplied: ""');
		const { id } = registry.resolve(container);
		networks.resolve(networkName);
		await registry.locked(id, async () => {
			const record = present(registry, id, container);
			// Again: it may have gone while others had the lock.
			const network = networks.resolve(networkName);
			const requested = requestedSettings(settings);
			checkMode(record, network);
			if (network.configOnly === true) throw new ForbiddenError("cannot create endpoint on configuration-only network");
			checkConnection(network.name, requested, endpointNetwork(network));
			if (isRunning(record.lifecycle)) return await this.#connectRunning(record, network, requested);
			registry.update(id, { endpoints: { ...record.endpoints, [network.name]: { requested } } });
		});
	}

	/** @throws NotFoundError, ForbiddenError, InvalidParameterError, SystemError */
	async disconnect(networkName: string, container: string, force: boolean): Promise<void> {
		const { networks, registry } = this.#deps;
		const network = networks.resolve(networkName);
		const { id } = resolveForDisconnect(registry, container, force);
		await registry.locked(id, async () => {
			const record = present(registry, id, container);
			const running = isRunning(record.lifecycle);
			if (record.endpoints[network.name] === undefined)
				throw new SystemError(`container ${id} is not connected to ${running ? "" : "the "}network ${network.name}`);
			if (!running) {
				registry.update(id, { endpoints: without(record, network.name) });
				return;
			}
			if (record.hostConfig.NetworkMode === "host")
				throw new InvalidParameterError(
					"cannot disconnect container from host network - container was created in host network mode",
				);
			await this.#disconnectRunning(record, network);
		});
	}

	async #connectRunning(
		record: ContainerRecord,
		network: NetworkRecord,
		requested: ContainerEndpoint["requested"],
	): Promise<void> {
		const { registry, networking, assigner, driver } = this.#deps;
		if (record.endpoints[network.name] !== undefined)
			throw new ForbiddenError(`endpoint with name ${record.name} already exists in network ${network.name}`);
		const before = networking.planOf(record);
		const interfaces = new Set(before.attached.map(({ assigned }) => interfaceNameOf(assigned)));
		const endpoint = assigner.assign(record, network, requested, interfaces);
		const endpoints = { ...record.endpoints, [network.name]: { requested, assigned: endpoint.assigned } };
		let connected = record;
		try {
			connected = registry.update(record.id, { endpoints });
			const attached = [...before.attached, endpoint];
			const sandbox = await driver.createSandbox(record.id);
			// Routes and ports follow in one go, once the interface is there.
			await driver.connect(
				endpoint.link,
				sandbox,
				endpointPlan(record, endpoint, { gateways: before.gateways, mappings: [] }),
			);
			await networking.applyGateways(connected);
			await this.#deps.names.open(connected, sandbox, { attached, gateways: gatewaysOf(attached) });
			this.#deps.files.rewrite(connected, before, networking.planOf(connected));
		} catch (cause) {
			try {
				await this.#undoConnection(record, network, endpoint.assigned.endpointId);
			} finally {
				assigner.release(endpoint.assigned);
			}
			throw new EngineError(errorKind(cause), errorMessage(cause), { cause });
		}
		networking.publishOne(connected, network, "connect");
		await this.#forgetEnded(connected);
	}

	/** The container may have ended under our hands: nothing of what was made for it since may stay. */
	async #forgetEnded(record: ContainerRecord): Promise<void> {
		const { registry, networking } = this.#deps;
		if (!isRunning(registry.get(record.id).lifecycle)) await networking.tearDown(record);
	}

	async #undoConnection(record: ContainerRecord, network: NetworkRecord, endpointId: string): Promise<void> {
		const { registry, networking, names, driver } = this.#deps;
		names.withdraw(endpointId);
		const link = driverNetworkOf(network);
		if (link !== undefined) await driver.disconnect(link, record.id, endpointId, { wait: true });
		const restored = registry.update(record.id, { endpoints: without(registry.get(record.id), network.name) });
		if (isRunning(restored.lifecycle)) await networking.applyGateways(restored);
		await this.#forgetEnded(restored);
	}

	async #disconnectRunning(record: ContainerRecord, network: NetworkRecord): Promise<void> {
		const { registry, networking, assigner, driver, names, files } = this.#deps;
		const before = networking.planOf(record);
		const disconnected = registry.update(record.id, { endpoints: without(record, network.name) });
		const endpoint = before.attached.find(({ network: { id } }) => id === network.id);
		if (endpoint !== undefined) {
			const { endpointId } = endpoint.assigned;
			names.withdraw(endpointId);
			const after = networking.planOf(disconnected);
			try {
				// Ports move before the interface goes: nothing of theirs is left to be taken down with it.
				await networking.applyGateways(disconnected);
				await driver.disconnect(endpoint.link, record.id, endpointId, { wait: true });
			} finally {
				assigner.release(endpoint.assigned);
			}
			await names.open(disconnected, await driver.createSandbox(record.id), after);
			files.rewrite(disconnected, before, after);
		}
		networking.publishOne(record, network, "disconnect");
		await this.#forgetEnded(disconnected);
	}
}

/** As it is once the lock is had. */
function present(registry: ContainerRegistry, id: string, name: string): ContainerRecord {
	const record = registry.find(id);
	if (record === undefined || registry.isHidden(id)) throw new NotFoundError(`No such container: ${name}`);
	if (record.lifecycle.kind === "removing" || record.lifecycle.kind === "dead")
		throw new ForbiddenError(
			`Container ${id} is marked for removal and cannot be connected or disconnected to the network`,
		);
	return record;
}

function resolveForDisconnect(registry: ContainerRegistry, container: string, force: boolean): ContainerRecord {
	try {
		return registry.resolve(container);
	} catch (cause) {
		if (!force || !(cause instanceof NotFoundError)) throw cause;
		// What a forced disconnect is for elsewhere, endpoints without a container, does not exist here.
		throw new NotFoundError(`endpoint ${container} not found`, { cause });
	}
}

function checkMode(record: ContainerRecord, network: NetworkRecord): void {
	const { NetworkMode = "" } = record.hostConfig;
	if (network.name === "host" && NetworkMode !== "host")
		throw new InvalidParameterError(
			"cannot connect container to host network - container must be created in host network mode",
		);
	if (containerOfMode(NetworkMode) !== undefined || (NetworkMode === "host" && network.name !== "host"))
		throw new InvalidParameterError(
			"container sharing network namespace with another container or host cannot be connected to any other network",
		);
	if (network.name === "none" && !("none" in record.endpoints))
		throw new InvalidParameterError(
			"container cannot be connected to multiple networks with one of the networks in private (none) mode",
		);
	if (network.name !== "none" && "none" in record.endpoints)
		throw new InvalidParameterError(
			"container cannot be connected to multiple networks with one of the networks in private (none) mode",
		);
}

function requestedSettings(settings: EndpointSettings | undefined): EndpointSettings {
	const { IPAMConfig, Links, Aliases, MacAddress, DriverOpts, GwPriority } = settings ?? {};
	return {
		IPAMConfig: IPAMConfig ?? {},
		Aliases: Aliases ?? [],
		DriverOpts: DriverOpts ?? {},
		...(Links === undefined ? {} : { Links }),
		...(MacAddress === undefined ? {} : { MacAddress }),
		...(GwPriority === undefined ? {} : { GwPriority }),
	};
}

function without(record: ContainerRecord, network: string): ContainerRecord["endpoints"] {
	return Object.fromEntries(Object.entries(record.endpoints).filter(([name]) => name !== network));
}
