/** Parents of macvlan and ipvlan networks, and the interfaces of containers on them. */
import { errnoCode, InvalidParameterError, NotImplementedError, SystemError } from "../../base/errors.ts";
import type { EndpointPlan, IpvlanMode, MacvlanMode, ParentNetwork } from "../../core/network/driver.ts";
import { ownParentName, parseVlanName } from "../../core/network/parent-options.ts";
import { addVethRequest, deleteLink, findLink, findLinkIndex, setLinkRequest } from "../linux/links.ts";
import { inNetworkNamespace } from "../linux/namespaces.ts";
import { NetlinkSocket } from "../linux/netlink.ts";
import {
	addDummyRequest,
	addIpvlanRequest,
	addMacvlanRequest,
	addVlanRequest,
	hasLinkKind,
	IPVLAN_MODE,
	MACVLAN_MODE,
} from "../linux/stacked-links.ts";
import { configureEndpoint, writeEndpointSysctls } from "./endpoint-link.ts";

const ALIAS = "gantry:parent";

/**
 * Makes the parent when it is the network's own, or a VLAN of an interface that is there.
 * @throws NotImplementedError, InvalidParameterError, ErrnoError
 */
export function ensureParent(host: NetlinkSocket, network: ParentNetwork): void {
	if (!hasLinkKind(host, network.kind))
		throw new NotImplementedError(`the kernel of this machine has no ${network.kind} interfaces`);
	if (findLinkIndex(host, network.parent) !== undefined) return;
	if (network.parent === ownParentName(network.id)) makeOwnParent(host, network.parent);
	else makeVlan(host, network.parent);
	host.request(setLinkRequest(network.parent, { alias: ALIAS, noLinkLocal: true }));
	host.request(setLinkRequest(network.parent, { up: true }));
}

/** Removes what `ensureParent` made; an interface of the host's stays. */
export function removeParent(host: NetlinkSocket, network: ParentNetwork): void {
	if (findLink(host, network.parent)?.alias !== ALIAS) return;
	deleteLink(host, network.parent);
	if (network.parent === ownParentName(network.id)) deleteLink(host, peerName(network.parent));
}

function makeOwnParent(host: NetlinkSocket, name: string): void {
	try {
		host.request(addDummyRequest(name));
	} catch (error) {
		if (errnoCode(error) !== "EOPNOTSUPP") throw error;
		makePair(host, name);
	}
}

/** For kernels without dummy interfaces: a pair whose other end has no addresses. */
function makePair(host: NetlinkSocket, name: string): void {
	const peer = peerName(name);
	host.request(addVethRequest({ name, mtu: 1500, peer: { name: peer, macAddress: "02:42:00:00:00:01" } }));
	host.request(setLinkRequest(peer, { alias: ALIAS, noLinkLocal: true }));
	host.request(setLinkRequest(peer, { up: true }));
}

const peerName = (parent: string) => parent.replace(/^dm-/, "dp-");

function makeVlan(host: NetlinkSocket, name: string): void {
	const { parent, vlanId } = parseVlanName(name);
	const parentIndex = findLinkIndex(host, parent);
	if (parentIndex === undefined)
		throw new InvalidParameterError(`-o parent interface was not found on the host: ${parent}`);
	if (!hasLinkKind(host, "vlan"))
		throw new NotImplementedError(`cannot make ${name}: the kernel of this machine has no VLAN interfaces (8021q)`);
	host.request(addVlanRequest({ name, parentIndex, vlanId }));
}

export interface ParentEndpointInput {
	readonly network: ParentNetwork;
	readonly plan: EndpointPlan;
	readonly namespaceFd: number;
}

/** Makes the interface in the container's namespace, and sets addresses and routes. What an earlier attempt left is replaced. */
export function makeParentEndpoint(host: NetlinkSocket, { network, plan, namespaceFd }: ParentEndpointInput): void {
	const parentIndex = findLinkIndex(host, network.parent);
	if (parentIndex === undefined)
		throw new SystemError(`the requested parent interface ${network.parent} was not found on the host`);
	using inside = inNetworkNamespace(namespaceFd, () => new NetlinkSocket());
	if (findLinkIndex(inside, plan.interfaceName) !== undefined) deleteLink(inside, plan.interfaceName);
	const link = {
		name: plan.interfaceName,
		parentIndex,
		namespaceFd,
		...(network.mtu === undefined ? {} : { mtu: network.mtu }),
	};
	const { mode, flag = "bridge" } = network;
	if (isIpvlanMode(mode)) host.request(addIpvlanRequest({ ...link, mode, flag }));
	else host.request(addMacvlanRequest({ ...link, mode, macAddress: plan.macAddress }));
	writeEndpointSysctls(namespaceFd, plan);
	configureEndpoint(inside, plan, network.internal);
}

function isIpvlanMode(mode: MacvlanMode | IpvlanMode): mode is IpvlanMode {
	return mode in IPVLAN_MODE && !(mode in MACVLAN_MODE);
}
