import { errorKind, errorMessage, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { ContainerEndpoint, ContainerRecord } from "../../core/container/container-record.ts";
import { containerOfMode } from "../../core/container/namespace-mode.ts";
import { isRunning } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { AddressPool } from "../../core/network/address-pool.ts";
import type {
	BridgeDriver,
	BridgeNetwork,
	NetworkSandbox,
	PortMapping,
	PortRequest,
	PortReservation,
} from "../../core/network/driver.ts";
import { macAddressFor, parseMacAddress } from "../../core/network/mac-address.ts";
import type { NetworkRecord } from "../../core/network/network-record.ts";
import { planPorts } from "../../core/network/port-plan.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { NetworkService } from "./network-service.ts";

type Assigned = NonNullable<ContainerEndpoint["assigned"]>;

/** What a start settles before anything is made: addresses are taken, host ports are bound. */
export interface NetworkPlan {
	readonly endpoints: Readonly<Record<string, ContainerEndpoint>>;
	readonly mappings: readonly PortMapping[];
	readonly reservation?: PortReservation;
	/** The bridge endpoint, where there is one. */
	readonly bridge?: { readonly network: BridgeNetwork; readonly assigned: Assigned };
	/** Who shares another container's network goes by its names. */
	readonly names?: { readonly Hostname: string; readonly Domainname: string };
}

export interface ContainerNetworkingDependencies {
	readonly networks: NetworkService;
	readonly driver: BridgeDriver;
	readonly containers: ContainerRegistry;
	readonly events: EventPublisher;
}

interface Pools {
	readonly v4: AddressPool;
	readonly v6: AddressPool | undefined;
}

/** A host port could not be had; it may be free again in a moment, when a run that has just ended is cleaned up. */
export class PortUnavailableError extends SystemError {}

/** The network side of a container's life: addresses, sandbox, endpoint and ports from start to exit. */
export class ContainerNetworking {
	readonly #deps: ContainerNetworkingDependencies;
	/** By network ID. In memory only; at start taken from the records of what runs. */
	readonly #pools = new Map<string, Pools>();

	constructor(deps: ContainerNetworkingDependencies) {
		this.#deps = deps;
	}

	/** Takes the addresses that the record of a running container names, at daemon start. */
	adopt(record: ContainerRecord): void {
		for (const { assigned } of Object.values(record.endpoints)) {
			const network = assigned === undefined ? undefined : this.#deps.networks.find(assigned.networkId);
			if (assigned === undefined || network?.bridge === undefined || assigned.address === "") continue;
			const pools = this.#poolsOf(network.bridge, network);
			for (const [pool, address] of [
				[pools.v4, assigned.address],
				[pools.v6, assigned.address6],
			] as const)
				if (pool !== undefined && address !== undefined && !pool.isTaken(address)) takeIfPossible(pool, address);
		}
	}

	/**
	 * Settles addresses and binds host ports. Nothing stays behind when it throws.
	 * @throws ConflictError a port is in use, InvalidParameterError, UnavailableError no address left
	 */
	plan(record: ContainerRecord): NetworkPlan {
		checkTogether(Object.keys(record.endpoints));
		const [name, endpoint] = Object.entries(record.endpoints)[0] ?? [];
		if (name === undefined || endpoint === undefined || record.config.NetworkDisabled === true)
			return { endpoints: record.endpoints, mappings: [], ...this.#sharedNames(record) };
		const network = this.#deps.networks.find(name);
		if (network === undefined)
			throw new NotFoundError(`failed to set up container networking: network ${name} not found`);
		if (network.bridge === undefined)
			return { endpoints: { [name]: { ...endpoint, assigned: bareEndpoint(network) } }, mappings: [] };
		const assigned = this.#assign(network.bridge, network, record, endpoint);
		try {
			const reservation = this.#reservePorts(record, assigned);
			return {
				endpoints: { ...record.endpoints, [name]: { ...endpoint, assigned } },
				mappings: reservation?.mappings ?? [],
				...(reservation === undefined ? {} : { reservation }),
				bridge: { network: network.bridge, assigned },
			};
		} catch (error) {
			this.#release(network.bridge, assigned);
			throw error;
		}
	}

	/** Makes the sandbox and connects it. @returns the namespace's path, or undefined for the host's namespace */
	async setUp(record: ContainerRecord, plan: NetworkPlan): Promise<string | undefined> {
		const mode = record.hostConfig.NetworkMode ?? "default";
		if (mode === "host") return undefined;
		if (mode.startsWith("container:")) return this.#namespaceOf(mode.slice("container:".length));
		const sandbox = await this.#deps.driver.createSandbox(record.id, {
			sysctls: networkSysctls(record.hostConfig.Sysctls ?? {}),
		});
		if (plan.bridge !== undefined) await this.#connect(record, plan, plan.bridge, sandbox);
		return sandbox.path;
	}

	/** Removes what `setUp` made and gives the addresses back. Idempotent. @param record with its assigned endpoints */
	async tearDown(record: ContainerRecord): Promise<void> {
		for (const [name, { assigned }] of Object.entries(record.endpoints)) {
			if (assigned === undefined) continue;
			const bridge = this.#deps.networks.find(name)?.bridge;
			if (bridge === undefined) continue;
			await this.#deps.driver.disconnect(bridge, record.id, assigned.endpointId);
			this.#release(bridge, assigned);
		}
		if (hasSandbox(record)) await this.#deps.driver.removeSandbox(record.id);
	}

	publish(record: ContainerRecord, action: "connect" | "disconnect"): void {
		for (const [name, { assigned }] of Object.entries(record.endpoints)) {
			const network = this.#deps.networks.find(name);
			if (network === undefined || assigned === undefined) continue;
			this.#deps.events.publish({
				type: "network",
				action,
				actorId: network.id,
				attributes: { container: record.id, name: network.name, type: network.driver },
			});
		}
	}

	/** Addresses that `host-gateway` stands for. */
	hostGateways(plan: NetworkPlan): string[] {
		const gateway = plan.bridge?.network.gateway ?? this.#deps.networks.find("bridge")?.bridge?.gateway;
		const gateway6 = plan.bridge?.network.gateway6;
		return [...(gateway === undefined ? [] : [gateway]), ...(gateway6 === undefined ? [] : [gateway6])];
	}

	async #connect(
		record: ContainerRecord,
		plan: NetworkPlan,
		{ network, assigned }: NonNullable<NetworkPlan["bridge"]>,
		sandbox: NetworkSandbox,
	): Promise<void> {
		try {
			await this.#deps.driver.connect(network, sandbox, {
				endpointId: assigned.endpointId,
				containerId: record.id,
				interfaceName: "eth0",
				address: `${assigned.address}/${assigned.prefixLength}`,
				...(assigned.address6 === undefined ? {} : { address6: `${assigned.address6}/${assigned.prefixLength6}` }),
				macAddress: assigned.macAddress,
				defaultRoute: true,
				mappings: plan.mappings,
			});
		} catch (cause) {
			throw new SystemError(
				`failed to set up container networking: failed to create endpoint ${record.name} on network bridge: ${errorMessage(cause)}`,
				{ cause },
			);
		}
	}

	#sharedNames(record: ContainerRecord): Pick<NetworkPlan, "names"> {
		const other = containerOfMode(record.hostConfig.NetworkMode);
		if (other === undefined) return {};
		const { Hostname = "", Domainname = "" } = this.#joined(other).config;
		return { names: { Hostname, Domainname } };
	}

	#joined(reference: string): ContainerRecord {
		try {
			return this.#deps.containers.resolve(reference);
		} catch (cause) {
			if (!(cause instanceof NotFoundError)) throw cause;
			throw new InvalidParameterError(`joining network namespace of container: ${cause.message}`, { cause });
		}
	}

	#namespaceOf(reference: string): string {
		const target = this.#joined(reference);
		if (!isRunning(target.lifecycle))
			throw new InvalidParameterError(`cannot join network namespace of a non running container: ${target.id}`);
		return `/proc/${target.lifecycle.pid}/ns/net`;
	}

	#assign(
		bridge: BridgeNetwork,
		network: NetworkRecord,
		record: ContainerRecord,
		endpoint: ContainerEndpoint,
	): Assigned {
		const pools = this.#poolsOf(bridge, network);
		const address = pools.v4.allocate();
		try {
			const address6 = pools.v6?.allocate();
			const mac = endpoint.requested.MacAddress || record.config.MacAddress || "";
			return {
				networkId: network.id,
				endpointId: newId(),
				address,
				prefixLength: pools.v4.subnet.prefixLength,
				gateway: bridge.gateway,
				...(address6 === undefined || pools.v6 === undefined
					? {}
					: { address6, prefixLength6: pools.v6.subnet.prefixLength, gateway6: bridge.gateway6 ?? "" }),
				macAddress: mac === "" ? macAddressFor(address) : parseMacAddress(mac),
			};
		} catch (error) {
			pools.v4.release(address);
			throw error;
		}
	}

	#reservePorts(record: ContainerRecord, assigned: Assigned): PortReservation | undefined {
		const requests = planPorts({
			exposedPorts: record.config.ExposedPorts ?? {},
			portBindings: record.hostConfig.PortBindings ?? {},
			publishAll: record.hostConfig.PublishAllPorts === true,
			defaultHostAddresses: this.#deps.networks.defaultHostAddresses(),
		});
		if (requests.length === 0) return undefined;
		try {
			return this.#deps.driver.reservePorts(requests);
		} catch (cause) {
			if (errorKind(cause) === "not-implemented") throw cause;
			const inUse = errorKind(cause) === "conflict";
			const why = (inUse ? this.#portsHeldByContainers(requests) : undefined) ?? errorMessage(cause);
			const message = `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${assigned.endpointId}): ${why}`;
			throw inUse ? new PortUnavailableError(message, { cause }) : new SystemError(message, { cause });
		}
	}

	/** Docker's words when the port is taken by another container and not by some other process. */
	#portsHeldByContainers(requests: readonly PortRequest[]): string | undefined {
		const held = this.#deps.containers.all().flatMap((record) => record.mappings);
		for (const { protocol, hostAddress, hostPortStart, hostPortEnd } of requests) {
			const taken = held.some(
				(mapping) =>
					mapping.protocol === protocol && mapping.hostPort >= hostPortStart && mapping.hostPort <= hostPortEnd,
			);
			if (hostPortStart > 0 && taken)
				return `Bind for ${hostAddress}:${hostPortStart} failed: port is already allocated`;
		}
		return undefined;
	}

	#release(bridge: BridgeNetwork, assigned: Assigned): void {
		const pools = this.#pools.get(bridge.id);
		pools?.v4.release(assigned.address);
		if (assigned.address6 !== undefined) pools?.v6?.release(assigned.address6);
	}

	#poolsOf(bridge: BridgeNetwork, network: NetworkRecord): Pools {
		const known = this.#pools.get(bridge.id);
		if (known !== undefined) return known;
		const range = network.ipam[0]?.range;
		const pools: Pools = {
			v4: new AddressPool(bridge.subnet, { ...(range === undefined ? {} : { range }), reserved: [bridge.gateway] }),
			v6:
				bridge.subnet6 === undefined
					? undefined
					: new AddressPool(bridge.subnet6, bridge.gateway6 === undefined ? {} : { reserved: [bridge.gateway6] }),
		};
		this.#pools.set(bridge.id, pools);
		return pools;
	}
}

/** There is no other combination of networks yet than one of the predefined ones alone. */
function checkTogether(networks: readonly string[]): void {
	if (networks.length < 2) return;
	const fault = networks.includes("none")
		? "container cannot be connected to multiple networks with one of the networks in private (none) mode"
		: "container cannot be disconnected from host network or connected to host network";
	throw new InvalidParameterError(`failed to set up container networking: ${fault}`);
}

/** Host and none have endpoints without addresses. */
function bareEndpoint(network: NetworkRecord): Assigned {
	return { networkId: network.id, endpointId: newId(), address: "", prefixLength: 0, gateway: "", macAddress: "" };
}

/** The record of a container whose subnet was reconfigured names an address of the old one. */
function takeIfPossible(pool: AddressPool, address: string): void {
	try {
		pool.reserve(address);
	} catch (error) {
		if (!(error instanceof InvalidParameterError)) throw error;
	}
}

/** Whether the container has a namespace of its own. */
export function hasSandbox(record: ContainerRecord): boolean {
	const mode = record.hostConfig.NetworkMode ?? "default";
	return mode !== "host" && !mode.startsWith("container:");
}

/** Only `net.*` belongs to the network namespace; the OCI runtime sets the rest. */
function networkSysctls(sysctls: Readonly<Record<string, string>>): Record<string, string> {
	return Object.fromEntries(Object.entries(sysctls).filter(([key]) => key.startsWith("net.")));
}
