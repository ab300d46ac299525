/**
 * What the driver must know of each endpoint to remove it exactly, kept as one small file per endpoint beside the namespaces:
 *
 *   <directory>/<endpoint ID>.json
 *
 * It is written before the first thing is made in the kernel and removed after the last one is gone. Like links and rules it
 * need not survive a reboot, so nothing is synced to disk.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	type BridgeNetwork,
	type DriverNetwork,
	type EndpointPlan,
	isBridge,
	type PortMapping,
} from "../../core/network/driver.ts";
import { hostInterfaceName } from "./endpoint-link.ts";

export interface EndpointState {
	readonly endpointId: string;
	readonly containerId: string;
	readonly networkId: string;
	/** Name of the host's end of the pair; empty for an interface on a parent, which has none. */
	readonly hostInterface: string;
	/** Name in the container of an interface on a parent. */
	readonly parentInterface?: string;
	/** CIDR form. */
	readonly address?: string;
	readonly address6?: string;
	/** Families whose ports are opened and not translated (gateway mode `routed`). */
	readonly routed?: readonly (4 | 6)[];
	/** Published ports are opened at the container's own address as well, for the network's trusted interfaces. */
	readonly direct?: true;
	readonly mappings: readonly PortMapping[];
}

export class EndpointStates {
	readonly #states = new Map<string, EndpointState>();

	constructor(readonly directory: string) {}

	/** Reads what an earlier daemon left. A file that was cut off by a crash belongs to an endpoint that was never made. */
	load(): void {
		mkdirSync(this.directory, { recursive: true, mode: 0o700 });
		this.#states.clear();
		for (const file of readdirSync(this.directory)) {
			const state = file.endsWith(".json") ? readState(join(this.directory, file)) : undefined;
			if (state !== undefined) this.#states.set(state.endpointId, state);
			else rmSync(join(this.directory, file), { force: true });
		}
	}

	save(state: EndpointState): void {
		const path = this.#pathOf(state.endpointId);
		writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
		renameSync(`${path}.new`, path);
		this.#states.set(state.endpointId, state);
	}

	remove(endpointId: string): void {
		rmSync(this.#pathOf(endpointId), { force: true });
		this.#states.delete(endpointId);
	}

	get(endpointId: string): EndpointState | undefined {
		return this.#states.get(endpointId);
	}

	all(): EndpointState[] {
		return [...this.#states.values()];
	}

	#pathOf(endpointId: string): string {
		return join(this.directory, `${endpointId}.json`);
	}
}

function readState(path: string): EndpointState | undefined {
	try {
		const state: Partial<EndpointState> = JSON.parse(readFileSync(path, "utf8"));
		const { endpointId, containerId, networkId, hostInterface, address, address6, routed, mappings } = state;
		const { parentInterface, direct } = state;
		if (endpointId === undefined || containerId === undefined || networkId === undefined) return undefined;
		if (hostInterface === undefined || mappings === undefined) return undefined;
		return {
			endpointId,
			containerId,
			networkId,
			hostInterface,
			...(parentInterface !== undefined && { parentInterface }),
			...(address !== undefined && { address }),
			...(address6 !== undefined && { address6 }),
			...(routed !== undefined && { routed }),
			...(direct === true && { direct }),
			mappings,
		};
	} catch (error) {
		if (error instanceof SyntaxError) return undefined;
		throw error;
	}
}

/** What an endpoint will be. */
export function stateOf(network: DriverNetwork, plan: EndpointPlan): EndpointState {
	const { endpointId, containerId, address, address6 } = plan;
	const common = {
		endpointId,
		containerId,
		networkId: network.id,
		...(address !== undefined && { address }),
		...(address6 !== undefined && { address6 }),
	};
	if (!isBridge(network)) return { ...common, hostInterface: "", parentInterface: plan.interfaceName, mappings: [] };
	return {
		...common,
		hostInterface: hostInterfaceName(endpointId),
		...routedFamilies(network),
		...((network.trustedInterfaces ?? []).length > 0 && { direct: true as const }),
		mappings: plan.mappings,
	};
}

function routedFamilies({ gatewayMode, gatewayMode6 }: BridgeNetwork): Pick<EndpointState, "routed"> {
	const routed = [
		...(gatewayMode === "routed" ? [4 as const] : []),
		...(gatewayMode6 === "routed" ? [6 as const] : []),
	];
	return routed.length === 0 ? {} : { routed };
}
