/** What a start settles before anything is made: addresses are taken, host ports are bound. */
import type { ContainerEndpoint, ContainerRecord } from "../../core/container/container-record.ts";
import type { BridgeNetwork, EndpointPlan, PortMapping, PortReservation } from "../../core/network/driver.ts";
import { chooseGateways } from "../../core/network/gateway-choice.ts";
import { parseIp } from "../../core/network/ip-address.ts";
import type { NetworkRecord } from "../../core/network/network-record.ts";

export type Assigned = NonNullable<ContainerEndpoint["assigned"]>;

/** An endpoint on a bridge network with its addresses. */
export interface BridgeEndpoint {
	readonly network: NetworkRecord;
	readonly bridge: BridgeNetwork;
	readonly requested: ContainerEndpoint["requested"];
	readonly assigned: Assigned;
}

/** The endpoints that the container's default routes go through. */
export interface Gateways {
	readonly v4: BridgeEndpoint | undefined;
	readonly v6: BridgeEndpoint | undefined;
}

export interface NetworkPlan {
	readonly endpoints: Readonly<Record<string, ContainerEndpoint>>;
	readonly mappings: readonly PortMapping[];
	readonly reservation?: PortReservation;
	/** In the order of the container's interfaces. */
	readonly bridges: readonly BridgeEndpoint[];
	readonly gateways: Gateways;
	/** Who shares another container's network goes by its names. */
	readonly names?: { readonly Hostname: string; readonly Domainname: string };
}

const FIRST_INTERFACE = "eth0";

export function interfaceNameOf(assigned: Assigned): string {
	return assigned.interfaceName ?? FIRST_INTERFACE;
}

export function gatewaysOf(bridges: readonly BridgeEndpoint[]): Gateways {
	const candidates = bridges.map((endpoint) => ({
		endpoint,
		networkName: endpoint.network.name,
		internal: endpoint.bridge.internal,
		priority: endpoint.requested.GwPriority ?? 0,
		gateway: endpoint.assigned.gateway,
		gateway6: endpoint.assigned.gateway6 ?? "",
	}));
	const { v4, v6 } = chooseGateways(candidates);
	return { v4: v4?.endpoint, v6: v6?.endpoint };
}

/**
 * The endpoint that carries the published ports of a family. Ports of a container whose networks are all internal are held,
 * but lead nowhere.
 */
export function mappingsOf(
	endpoint: BridgeEndpoint,
	gateways: Gateways,
	mappings: readonly PortMapping[],
): PortMapping[] {
	return mappings.filter(({ hostAddress }) => {
		const carrier = parseIp(hostAddress).family === 4 ? gateways.v4 : (gateways.v6 ?? gateways.v4);
		return carrier?.assigned.endpointId === endpoint.assigned.endpointId;
	});
}

/** What the driver makes of it. */
export function endpointPlan(
	record: ContainerRecord,
	endpoint: BridgeEndpoint,
	{ gateways, mappings }: Pick<NetworkPlan, "gateways" | "mappings">,
): EndpointPlan {
	const { assigned, requested } = endpoint;
	const interfaceName = interfaceNameOf(assigned);
	return {
		endpointId: assigned.endpointId,
		containerId: record.id,
		interfaceName,
		...(assigned.address === "" ? {} : { address: `${assigned.address}/${assigned.prefixLength}` }),
		...(assigned.address6 === undefined ? {} : { address6: `${assigned.address6}/${assigned.prefixLength6}` }),
		...linkLocal(requested.IPAMConfig?.LinkLocalIPs ?? []),
		macAddress: assigned.macAddress,
		defaultRoute: gateways.v4 === endpoint,
		defaultRoute6: gateways.v6 === endpoint,
		...endpointSysctls(requested.DriverOpts?.[ENDPOINT_SYSCTLS] ?? "", interfaceName),
		mappings: mappingsOf(endpoint, gateways, mappings),
	};
}

export const ENDPOINT_SYSCTLS = "com.docker.network.endpoint.sysctls";
export const ENDPOINT_INTERFACE = "com.docker.network.endpoint.ifname";

function linkLocal(addresses: readonly string[]): Pick<EndpointPlan, "linkLocalAddresses"> {
	if (addresses.length === 0) return {};
	return { linkLocalAddresses: addresses.map((address) => `${address}/${address.includes(":") ? 64 : 16}`) };
}

/** `net.ipv4.conf.IFNAME.log_martians=1,…`; the interface's name is put in with slashes for its dots. */
function endpointSysctls(text: string, interfaceName: string): Pick<EndpointPlan, "sysctls"> {
	if (text === "") return {};
	const pairs = text.split(",").map((pair): [string, string] => {
		const [name = "", value = ""] = pair.split("=", 2);
		return [name.trim().replace(/\.ifname\./i, `.${interfaceName.replaceAll(".", "/")}.`), value.trim()];
	});
	return { sysctls: Object.fromEntries(pairs) };
}
