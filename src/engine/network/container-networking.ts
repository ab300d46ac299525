import {
	EngineError,
	errorKind,
	errorMessage,
	ForbiddenError,
	InvalidParameterError,
	NotFoundError,
	SystemError,
} from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { ContainerEndpoint, ContainerRecord } from "../../core/container/container-record.ts";
import { containerOfMode } from "../../core/container/namespace-mode.ts";
import { isRunning } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { NetworkDriver, NetworkSandbox } from "../../core/network/driver.ts";
import { driverNetworkOf, type NetworkRecord } from "../../core/network/network-record.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { ContainerNames } from "./container-names.ts";
import type { ContainerPorts } from "./container-ports.ts";
import type { EndpointAssigner } from "./endpoint-assigner.ts";
import {
	type Assigned,
	type AttachedEndpoint,
	endpointPlan,
	type Gateways,
	gatewaysOf,
	interfaceNameOf,
	mappingsOf,
	type NetworkPlan,
	wayOut,
} from "./network-plan.ts";
import type { NetworkService } from "./network-service.ts";

export interface ContainerNetworkingDependencies {
	readonly networks: NetworkService;
	readonly driver: NetworkDriver;
	readonly containers: ContainerRegistry;
	readonly assigner: EndpointAssigner;
	readonly ports: ContainerPorts;
	readonly names: ContainerNames;
	readonly events: EventPublisher;
}

const FAILED = "failed to set up container networking";
const NO_GATEWAYS: Gateways = { v4: undefined, v6: undefined };

/** The network side of a container's life: addresses, sandbox, endpoints, names and ports from start to exit. */
export class ContainerNetworking {
	readonly #deps: ContainerNetworkingDependencies;

	constructor(deps: ContainerNetworkingDependencies) {
		this.#deps = deps;
	}

	/**
	 * Takes over a container that runs, at daemon start: its addresses, its names, and a connection that a crash cut short
	 * between record and kernel.
	 */
	async adopt(record: ContainerRecord): Promise<void> {
		const { assigner, driver, names } = this.#deps;
		const attached = this.attachedOf(record);
		for (const { network, assigned } of attached) assigner.adopt(network, assigned);
		if (!hasSandbox(record) || attached.length === 0) return;
		const gateways = gatewaysOf(attached);
		const sandbox = await driver.createSandbox(record.id);
		const present = new Set((await driver.inventory()).endpoints);
		for (const endpoint of attached)
			if (!present.has(endpoint.assigned.endpointId))
				await driver.connect(
					endpoint.link,
					sandbox,
					endpointPlan(record, endpoint, { gateways, mappings: record.mappings }),
				);
		// A change of networks may have got as far as the record.
		await this.applyGateways(record);
		await names.open(record, sandbox, { attached, gateways });
	}

	/**
	 * Settles addresses and binds host ports. Nothing stays behind when it throws.
	 * @throws ForbiddenError an address is in use, InvalidParameterError, NotFoundError, PortUnavailableError, UnavailableError
	 */
	plan(record: ContainerRecord): NetworkPlan {
		if (Object.keys(record.endpoints).length === 0 || record.config.NetworkDisabled === true)
			return {
				endpoints: record.endpoints,
				mappings: [],
				attached: [],
				gateways: NO_GATEWAYS,
				...this.#sharedNames(record),
			};
		checkTogether(Object.keys(record.endpoints), record.hostConfig.NetworkMode);
		const endpoints: Record<string, ContainerEndpoint> = {};
		const attached: AttachedEndpoint[] = [];
		try {
			for (const name of startOrder(record)) {
				const { requested = {} } = record.endpoints[name] ?? {};
				const assigned = this.#assign(record, name, requested, attached);
				endpoints[name] = { requested, assigned };
			}
			const gateways = gatewaysOf(attached);
			const reserved = this.#deps.ports.reserve(record, gateways);
			return { endpoints, ...reserved, attached, gateways };
		} catch (error) {
			for (const { assigned } of attached) this.#deps.assigner.release(assigned);
			throw error;
		}
	}

	/** Makes the sandbox and connects it. @returns the namespace's path, or undefined for the host's namespace */
	async setUp(record: ContainerRecord, plan: NetworkPlan): Promise<string | undefined> {
		const { driver, names } = this.#deps;
		const mode = record.hostConfig.NetworkMode ?? "default";
		if (mode === "host") return undefined;
		if (mode.startsWith("container:")) return this.#namespaceOf(mode.slice("container:".length));
		const sandbox = await driver.createSandbox(record.id, {
			sysctls: networkSysctls(record.hostConfig.Sysctls ?? {}),
		});
		for (const endpoint of plan.attached) await this.#connect(record, endpoint, plan, sandbox);
		if (plan.attached.length > 0) await names.open(record, sandbox, plan);
		return sandbox.path;
	}

	/** Removes what `setUp` made and gives the addresses back. Idempotent. @param record with its assigned endpoints */
	async tearDown(record: ContainerRecord): Promise<void> {
		const { assigner, driver, names } = this.#deps;
		names.close(record.id);
		for (const { assigned } of Object.values(record.endpoints)) {
			if (assigned === undefined) continue;
			names.withdraw(assigned.endpointId);
			// A network that was removed meanwhile has taken its bridge along; the sandbox takes the rest.
			const network = this.#deps.networks.find(assigned.networkId);
			const link = network === undefined ? undefined : driverNetworkOf(network);
			if (link !== undefined) await driver.disconnect(link, record.id, assigned.endpointId);
			assigner.release(assigned);
		}
		if (hasSandbox(record)) await driver.removeSandbox(record.id);
	}

	/** The endpoints of a running container that have addresses, in the order of its interfaces. */
	attachedOf(record: ContainerRecord): AttachedEndpoint[] {
		return Object.entries(record.endpoints).flatMap(([name, { requested, assigned }]) => {
			if (assigned === undefined) return [];
			const network = this.#deps.networks.find(assigned.networkId) ?? this.#deps.networks.find(name);
			const link = network === undefined ? undefined : driverNetworkOf(network);
			if (network === undefined || link === undefined) return [];
			return { network, link, requested, assigned };
		});
	}

	/** What a start settled, from the record of a container that runs. */
	planOf(record: ContainerRecord): NetworkPlan {
		const attached = this.attachedOf(record);
		return { endpoints: record.endpoints, mappings: record.mappings, attached, gateways: gatewaysOf(attached) };
	}

	/** Default routes and published ports as the endpoints of a running container want them now. */
	async applyGateways(record: ContainerRecord): Promise<void> {
		const { driver } = this.#deps;
		const { attached, gateways, mappings } = this.planOf(record);
		const { v4, v6 } = gateways;
		await driver.setGateways(await driver.createSandbox(record.id), {
			...(v4 === undefined
				? {}
				: { v4: { interfaceName: interfaceNameOf(v4.assigned), gateway: wayOut(v4, 4) ?? "" } }),
			...(v6 === undefined
				? {}
				: { v6: { interfaceName: interfaceNameOf(v6.assigned), gateway: wayOut(v6, 6) ?? "" } }),
		});
		// Who gives ports away comes last: the new owner takes them over without a gap.
		const shares = attached.map((endpoint) => ({ endpoint, own: mappingsOf(endpoint, gateways, mappings) }));
		for (const { endpoint, own } of shares.sort((a, b) => b.own.length - a.own.length))
			await driver.publish(endpoint.assigned.endpointId, own);
	}

	/** After a change of the container's name. */
	renamed(record: ContainerRecord): void {
		if (isRunning(record.lifecycle)) this.#deps.names.announce(record, this.attachedOf(record));
	}

	publish(record: ContainerRecord, action: "connect" | "disconnect"): void {
		for (const [name, { assigned }] of Object.entries(record.endpoints)) {
			const network = this.#deps.networks.find(assigned?.networkId ?? name);
			if (network === undefined || assigned === undefined) continue;
			this.publishOne(record, network, action);
		}
	}

	publishOne(record: ContainerRecord, network: NetworkRecord, action: "connect" | "disconnect"): void {
		this.#deps.events.publish({
			type: "network",
			action,
			actorId: network.id,
			attributes: { container: record.id, name: network.name, type: network.driver },
		});
	}

	/** Addresses that `host-gateway` stands for. */
	hostGateways({ gateways }: Pick<NetworkPlan, "gateways">): string[] {
		const [v4, v6] = [gateways.v4?.network.bridge, gateways.v6?.network.bridge];
		const gateway = v4?.gateway ?? this.#deps.networks.find("bridge")?.bridge?.gateway;
		const gateway6 = v6?.gateway6;
		return [gateway, gateway6].filter((address) => address !== undefined);
	}

	/** @param attached gets the new endpoint when it is one */
	#assign(
		record: ContainerRecord,
		name: string,
		requested: ContainerEndpoint["requested"],
		attached: AttachedEndpoint[],
	): Assigned {
		const network = this.#deps.networks.find(name);
		if (network === undefined) throw new NotFoundError(`${FAILED}: network ${name} not found`);
		if (network.configOnly === true)
			throw new ForbiddenError(`${FAILED}: cannot create endpoint on configuration-only network`);
		if (driverNetworkOf(network) === undefined) return bareEndpoint(network);
		try {
			const interfaces = new Set(attached.map(({ assigned }) => interfaceNameOf(assigned)));
			const endpoint = this.#deps.assigner.assign(record, network, requested, interfaces);
			attached.push(endpoint);
			return endpoint.assigned;
		} catch (cause) {
			throw new EngineError(errorKind(cause), `${FAILED}: ${errorMessage(cause)}`, { cause });
		}
	}

	async #connect(
		record: ContainerRecord,
		endpoint: AttachedEndpoint,
		plan: NetworkPlan,
		sandbox: NetworkSandbox,
	): Promise<void> {
		try {
			await this.#deps.driver.connect(endpoint.link, sandbox, endpointPlan(record, endpoint, plan));
		} catch (cause) {
			throw new SystemError(
				`${FAILED}: failed to create endpoint ${record.name} on network ${endpoint.network.name}: ${errorMessage(cause)}`,
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
			throw new SystemError(`joining network namespace of container: ${cause.message}`, { cause });
		}
	}

	#namespaceOf(reference: string): string {
		const target = this.#joined(reference);
		if (!isRunning(target.lifecycle))
			throw new InvalidParameterError(`cannot join network namespace of a non running container: ${target.id}`);
		return `/proc/${target.lifecycle.pid}/ns/net`;
	}
}

/** The default network first, then the container's main one: their interfaces have the lowest numbers. */
function startOrder(record: ContainerRecord): string[] {
	const main = record.hostConfig.NetworkMode ?? "";
	const rank = (name: string) => (name === "bridge" ? 0 : name === main ? 1 : 2);
	return Object.keys(record.endpoints).sort((a, b) => rank(a) - rank(b));
}

/** @throws InvalidParameterError for a predefined network that goes with no other */
export function checkTogether(networks: readonly string[], mode?: string): void {
	if (networks.length < 2 && (mode !== "host" || networks.includes("host"))) return;
	if (networks.includes("none"))
		throw new InvalidParameterError(
			`${FAILED}: container cannot be connected to multiple networks with one of the networks in private (none) mode`,
		);
	if (networks.includes("host") || mode === "host")
		throw new InvalidParameterError(
			`${FAILED}: container cannot be disconnected from host network or connected to host network`,
		);
}

/** Host and none have endpoints without addresses. */
function bareEndpoint(network: NetworkRecord): Assigned {
	return { networkId: network.id, endpointId: newId(), address: "", prefixLength: 0, gateway: "", macAddress: "" };
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
