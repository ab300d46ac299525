import { errorKind, errorMessage, SystemError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { NetworkDriver, PortMapping, PortRequest, PortReservation } from "../../core/network/driver.ts";
import { parseIp } from "../../core/network/ip-address.ts";
import { hostBindingOf } from "../../core/network/network-creation.ts";
import { planPorts } from "../../core/network/port-plan.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import { carrierOf, type Gateways } from "./network-plan.ts";
import type { NetworkService } from "./network-service.ts";

export interface ContainerPortsDependencies {
	readonly networks: NetworkService;
	readonly driver: NetworkDriver;
	readonly containers: ContainerRegistry;
}

/** A host port could not be had; it may be free again in a moment, when a run that has just ended is cleaned up. */
export class PortUnavailableError extends SystemError {}

export interface ReservedPorts {
	readonly mappings: readonly PortMapping[];
	readonly reservation?: PortReservation;
}

/** Host ports of a container, bound at its start. */
export class ContainerPorts {
	readonly #deps: ContainerPortsDependencies;

	constructor(deps: ContainerPortsDependencies) {
		this.#deps = deps;
	}

	/** @throws PortUnavailableError, SystemError, InvalidParameterError; nothing stays bound then */
	reserve(record: ContainerRecord, gateways: Gateways): ReservedPorts {
		const carrier = carrierOf(gateways, 4) ?? carrierOf(gateways, 6);
		if (carrier === undefined) return { mappings: [] };
		const ownBinding = hostBindingOf(carrier.network);
		const requests = planPorts({
			exposedPorts: record.config.ExposedPorts ?? {},
			portBindings: record.hostConfig.PortBindings ?? {},
			publishAll: record.hostConfig.PublishAllPorts === true,
			defaultHostAddresses:
				ownBinding === "" || ownBinding === "0.0.0.0" ? this.#deps.networks.defaultHostAddresses() : [ownBinding],
		});
		const isOpened = ({ hostAddress }: PortRequest) => isRouted(hostAddress, gateways);
		const opened = requests.filter(isOpened).map(openedMapping);
		const bound = requests.filter((request) => !isOpened(request));
		if (bound.length === 0) return { mappings: opened };
		const reservation = this.#bind(record, carrier.assigned.endpointId, bound);
		return { mappings: [...opened, ...reservation.mappings], reservation };
	}

	#bind(record: ContainerRecord, endpointId: string, requests: readonly PortRequest[]): PortReservation {
		try {
			return this.#deps.driver.reservePorts(requests);
		} catch (cause) {
			if (errorKind(cause) === "not-implemented") throw cause;
			const inUse = errorKind(cause) === "conflict";
			const why = (inUse ? this.#portsHeldByContainers(requests) : undefined) ?? errorMessage(cause);
			const message = `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${endpointId}): ${why}`;
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
}

/** A routed network's ports are opened at the container's own address; the host has no port for them. */
function isRouted(hostAddress: string, gateways: Gateways): boolean {
	if (parseIp(hostAddress).family === 4) return gateways.v4?.network.bridge?.gatewayMode === "routed";
	return gateways.v6?.network.bridge?.gatewayMode6 === "routed";
}

function openedMapping({ protocol, containerPort, hostAddress }: PortRequest): PortMapping {
	return { protocol, containerPort, hostAddress, hostPort: 0 };
}
