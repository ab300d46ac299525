/** What a start settles before anything is made: addresses are taken, host ports are bound. */
import type { ContainerEndpoint, ContainerRecord } from "../../core/container/container-record.ts";
import { ENDPOINT_SYSCTLS } from "../../core/container/endpoints.ts";
import {
	type DriverNetwork,
	type EndpointPlan,
	isBridge,
	type PortMapping,
	type PortReservation,
} from "../../core/network/driver.ts";
import { chooseGateways } from "../../core/network/gateway-choice.ts";
import { parseIp } from "../../core/network/ip-address.ts";
import type { NetworkRecord } from "../../core/network/network-record.ts";

export type Assigned = NonNullable<ContainerEndpoint["assigned"]>;

/** An endpoint with its addresses, on a network that gives some. */
export interface AttachedEndpoint {
	readonly network: NetworkRecord;
	readonly link: DriverNetwork;
	readonly requested: ContainerEndpoint["requested"];
	readonly assigned: Assigned;
}

/** The endpoints that the container's default routes go through. */
export interface Gateways {
	readonly v4: AttachedEndpoint | undefined;
	readonly v6: AttachedEndpoint | undefined;
}

export interface NetworkPlan {
	readonly endpoints: Readonly<Record<string, ContainerEndpoint>>;
	readonly mappings: readonly PortMapping[];
	readonly reservation?: PortReservation;
	/** In the order of the container's interfaces. */
	readonly attached: readonly AttachedEndpoint[];
	readonly gateways: Gateways;
	/** Who shares another container's network goes by its names. */
	readonly names?: { readonly Hostname: string; readonly Domainname: string };
}

const FIRST_INTERFACE = "eth0";

export function interfaceNameOf(assigned: Assigned): string {
	return assigned.interfaceName ?? FIRST_INTERFACE;
}

export function gatewaysOf(attached: readonly AttachedEndpoint[]): Gateways {
	const candidates = attached.map((endpoint) => ({
		endpoint,
		networkName: endpoint.network.name,
		internal: endpoint.link.internal,
		priority: endpoint.requested.GwPriority ?? 0,
		gateway: wayOut(endpoint, 4) !== undefined,
		gateway6: wayOut(endpoint, 6) !== undefined,
	}));
	const { v4, v6 } = chooseGateways(candidates);
	return { v4: v4?.endpoint, v6: v6?.endpoint };
}

/** The next hop of a default route through this endpoint; empty: the link itself. Undefined where it leads nowhere. */
export function wayOut({ link, assigned }: AttachedEndpoint, family: 4 | 6): string | undefined {
	const address = family === 4 ? assigned.address : (assigned.address6 ?? "");
	if (link.internal || address === "") return undefined;
	if (!isBridge(link) && (link.mode === "l3" || link.mode === "l3s")) return "";
	return (family === 4 ? assigned.gateway : assigned.gateway6) || undefined;
}

/**
 * The endpoint that carries the published ports of a family. Ports of a container whose networks are all internal are held,
 * but lead nowhere.
 */
export function mappingsOf(
	endpoint: AttachedEndpoint,
	gateways: Gateways,
	mappings: readonly PortMapping[],
): PortMapping[] {
	return mappings.filter(({ hostAddress }) => {
		const carrier = carrierOf(gateways, parseIp(hostAddress).family);
		return carrier?.assigned.endpointId === endpoint.assigned.endpointId;
	});
}

/** Where the monitor passes on what reaches the ports' own sockets and not the firewall's translation. */
export function relayTarget({ gateways }: Pick<NetworkPlan, "gateways">): string {
	return gateways.v4?.assigned.address || (gateways.v6?.assigned.address6 ?? "");
}

/** Only bridges have ports of the host; a container whose way out is another network has none. */
export function carrierOf(gateways: Gateways, family: 4 | 6): AttachedEndpoint | undefined {
	const carrier = family === 4 ? gateways.v4 : (gateways.v6 ?? gateways.v4);
	return carrier !== undefined && isBridge(carrier.link) ? carrier : undefined;
}

/** What the driver makes of it. */
export function endpointPlan(
	record: ContainerRecord,
	endpoint: AttachedEndpoint,
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
		...(gateways.v4 === endpoint ? { gateway: wayOut(endpoint, 4) ?? "" } : {}),
		...(gateways.v6 === endpoint ? { gateway6: wayOut(endpoint, 6) ?? "" } : {}),
		...endpointSysctls(requested.DriverOpts?.[ENDPOINT_SYSCTLS] ?? "", interfaceName),
		mappings: mappingsOf(endpoint, gateways, mappings),
	};
}

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
