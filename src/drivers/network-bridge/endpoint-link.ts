/** The pair of virtual interfaces between a bridge and a container's namespace. */
import { existsSync } from "node:fs";
import { errnoCode, SystemError } from "../../base/errors.ts";
import type { BridgeNetwork, EndpointPlan, SandboxGateway } from "../../core/network/driver.ts";
import { addAddressRequest, addRouteRequest, deleteRouteRequest, listRoutes } from "../linux/addresses.ts";
import {
	addVethRequest,
	type BridgePortOptions,
	deleteLink,
	findLinkIndex,
	setBridgePortRequest,
	setLinkRequest,
} from "../linux/links.ts";
import { inNetworkNamespace } from "../linux/namespaces.ts";
import { type NetlinkRequest, NetlinkSocket } from "../linux/netlink.ts";
import { writeSysctl } from "./sandbox-pool.ts";

const DEFAULT_ROUTES: readonly string[] = ["0.0.0.0/0", "::/0"];
const BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/** Fifteen bytes at most: `veth` and eleven digits of the endpoint's ID. */
export function hostInterfaceName(endpointId: string): string {
	return `veth${endpointId.slice(0, 11)}`;
}

export interface EndpointLinkInput {
	readonly network: BridgeNetwork;
	readonly bridgeIndex: number;
	readonly plan: EndpointPlan;
	readonly namespaceFd: number;
}

/** Makes the pair and sets addresses and routes. What an earlier attempt left is replaced. @throws ErrnoError */
export function makeEndpointLink(host: NetlinkSocket, input: EndpointLinkInput): void {
	const { network, plan, namespaceFd, bridgeIndex } = input;
	const name = hostInterfaceName(plan.endpointId);
	using inside = inNetworkNamespace(namespaceFd, () => new NetlinkSocket());
	if (findLinkIndex(host, name) !== undefined) deleteLink(host, name);
	else if (findLinkIndex(inside, plan.interfaceName) !== undefined) deleteLink(inside, plan.interfaceName);
	const peer = { name: plan.interfaceName, namespaceFd, macAddress: plan.macAddress };
	host.requestAll([
		addVethRequest({ name, mtu: network.mtu, peer }),
		setLinkRequest(name, { masterIndex: bridgeIndex, up: true, noLinkLocal: true }),
	]);
	setPortOptions(host, name, {
		// Isolated ports keep containers apart on the wire, where the firewall may not see them.
		...(!network.interContainer && { isolated: true }),
	});
	if (plan.mappings.length > 0) allowHairpin(host, name);
	writeEndpointSysctls(namespaceFd, plan);
	configureEndpoint(inside, plan, network.internal);
	settleCarrier(host, name, network.bridge);
}

/** With br_netfilter the bridge itself carries translated packets: a container's call to its own published port must turn. */
export function allowHairpin(host: NetlinkSocket, name: string): void {
	if (name !== "" && existsSync(BRIDGE_NETFILTER)) setPortOptions(host, name, { hairpin: true });
}

/**
 * A link's transmit queue opens when the kernel's link watcher has seen its carrier, for the first port of an idle bridge up to
 * a second late: packets are lost until then. Asking for the link makes it look at once (Linux ≥ 6.8): first the port, which
 * gives the bridge its carrier, then the bridge.
 */
function settleCarrier(host: NetlinkSocket, port: string, bridge: string): void {
	findLinkIndex(host, port);
	findLinkIndex(host, bridge);
}

/** IPv6 where the endpoint has it, and what the user asked for. */
export function writeEndpointSysctls(namespaceFd: number, plan: EndpointPlan): void {
	const hasIpv6 = [plan.address6, ...(plan.linkLocalAddresses ?? [])].some((cidr) => cidr?.includes(":"));
	const sysctls = Object.entries({
		...(hasIpv6 && { [`net.ipv6.conf.${plan.interfaceName.replaceAll(".", "/")}.disable_ipv6`]: "0" }),
		...plan.sysctls,
	});
	if (sysctls.length === 0) return;
	inNetworkNamespace(namespaceFd, () => {
		for (const [name, value] of sysctls)
			try {
				writeSysctl(name, value);
			} catch (cause) {
				if (errnoCode(cause) !== "ENOENT") throw cause;
				throw new SystemError(`${name} is not a sysctl of the kernel's`, { cause });
			}
	});
}

/** Addresses and routes of the interface, which is up then. @param inside socket of the namespace */
export function configureEndpoint(inside: NetlinkSocket, plan: EndpointPlan, internal: boolean): void {
	const linkIndex = findLinkIndex(inside, plan.interfaceName) ?? 0;
	const { address, address6, linkLocalAddresses = [] } = plan;
	const addresses = [address, address6, ...linkLocalAddresses].filter((cidr) => cidr !== undefined);
	const requests: NetlinkRequest[] = addresses.map((cidr) => addAddressRequest(linkIndex, cidr));
	requests.push(setLinkRequest(linkIndex, { up: true }));
	if (!internal) {
		if (address !== undefined && plan.gateway !== undefined)
			requests.push(defaultRouteRequest(linkIndex, 4, plan.gateway));
		if (address6 !== undefined && plan.gateway6 !== undefined)
			requests.push(defaultRouteRequest(linkIndex, 6, plan.gateway6));
	}
	inside.requestAll(requests);
}

/** @param gateway empty: straight onto the link */
function defaultRouteRequest(linkIndex: number, family: 4 | 6, gateway: string): NetlinkRequest {
	return addRouteRequest(gateway === "" ? { linkIndex, family } : { linkIndex, gateway });
}

/** Default routes of a namespace, one for each family at most. @param inside socket of the namespace @throws ErrnoError */
export function replaceDefaultRoutes(
	inside: NetlinkSocket,
	gateways: { readonly v4?: SandboxGateway; readonly v6?: SandboxGateway },
): void {
	const present = listRoutes(inside).filter(({ destination }) => DEFAULT_ROUTES.includes(destination));
	for (const family of [4, 6] as const) {
		const wanted = family === 4 ? gateways.v4 : gateways.v6;
		const linkIndex = wanted === undefined ? undefined : findLinkIndex(inside, wanted.interfaceName);
		const routes = present.filter(({ destination }) => destination.includes(":") === (family === 6));
		for (const route of routes)
			if (route.linkIndex !== linkIndex || (route.gateway ?? "") !== wanted?.gateway)
				inside.request(deleteRouteRequest({ linkIndex: route.linkIndex, family }));
		if (wanted !== undefined && linkIndex !== undefined)
			inside.request(defaultRouteRequest(linkIndex, family, wanted.gateway));
	}
}

function setPortOptions(host: NetlinkSocket, name: string, options: BridgePortOptions): void {
	const index = Object.keys(options).length === 0 ? undefined : findLinkIndex(host, name);
	if (index !== undefined) host.request(setBridgePortRequest(index, options));
}

/** Takes the host's end off the air at once; the interface itself goes with the namespace. Gone already is success. */
export function silenceEndpointLink(host: NetlinkSocket, name: string): void {
	const index = name === "" ? undefined : findLinkIndex(host, name);
	if (index === undefined) return;
	try {
		host.request(setBridgePortRequest(index, { disabled: true }));
	} catch {
		// Whatever the reason (it left the bridge, it went away just now): the namespace takes the interface along.
	}
}
