/** The bridge interface of a network: made, or brought back to what the network says. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { errnoCode, SystemError } from "../../base/errors.ts";
import type { BridgeNetwork } from "../../core/network/driver.ts";
import { parseCidr } from "../../core/network/ip-address.ts";
import { addAddressRequest, deleteAddressRequest, type InterfaceAddress, listAddresses } from "../linux/addresses.ts";
import { addBridgeRequest, findLink, type Link, setLinkRequest } from "../linux/links.ts";
import type { NetlinkRequest, NetlinkSocket } from "../linux/netlink.ts";

const ALIAS_PREFIX = "gantry:";

/** @throws SystemError when the name belongs to an interface that is no bridge */
export function refuseOtherKinds(netlink: NetlinkSocket, name: string): void {
	const link = findLink(netlink, name);
	if (link !== undefined && link.kind !== "bridge") throw new SystemError(`existing interface ${name} is not a bridge`);
}

/** Whether the interface was made for this network; a bridge that the administrator made stays when the network goes. */
export function isOwnBridge(netlink: NetlinkSocket, network: BridgeNetwork): boolean {
	return findLink(netlink, network.bridge)?.alias === `${ALIAS_PREFIX}${network.id}`;
}

/** @returns index of the bridge @throws ErrnoError, SystemError */
export function ensureBridge(netlink: NetlinkSocket, network: BridgeNetwork): number {
	const link = findLink(netlink, network.bridge) ?? makeBridge(netlink, network);
	const present = listAddresses(netlink).filter((address) => address.linkIndex === link.index);
	const requests: NetlinkRequest[] = [];
	// An address of an earlier configuration goes; one an administrator gave to a bridge of his own does not.
	if (link.alias.startsWith(ALIAS_PREFIX))
		for (const stale of present.filter((address) => !isWanted(network, address)))
			requests.push(deleteAddressRequest(link.index, `${stale.address}/${stale.prefixLength}`));
	if (network.subnet6 !== undefined) setSysctl(`ipv6/conf/${network.bridge}/disable_ipv6`, "0");
	for (const cidr of wantedAddresses(network)) requests.push(addAddressRequest(link.index, cidr));
	requests.push(setLinkRequest(link.index, { up: true, ...(link.mtu !== network.mtu && { mtu: network.mtu }) }));
	netlink.requestAll(requests);
	// Connections from the host's 127.0.0.1 to a published port leave through the bridge; the firewall shields the way back in.
	setSysctl(`ipv4/conf/${network.bridge}/route_localnet`, "1");
	return link.index;
}

function makeBridge(netlink: NetlinkSocket, network: BridgeNetwork): Link {
	// Set once: a bridge without an address of its own changes it with every port that comes and goes.
	const macAddress = ["02", "42", ...[...randomBytes(4)].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
	netlink.request(addBridgeRequest(network.bridge, { macAddress, mtu: network.mtu }));
	const alias = `${ALIAS_PREFIX}${network.id}`;
	netlink.request(
		setLinkRequest(network.bridge, { alias, ...(network.gateway6 === undefined && { noLinkLocal: true }) }),
	);
	const link = findLink(netlink, network.bridge);
	if (link === undefined) throw new SystemError(`bridge ${network.bridge} vanished while it was made`);
	return link;
}

/** An isolated network has no address of the host on it, and an inhibited one somebody else's. */
function wantedAddresses(network: BridgeNetwork): string[] {
	const withLength = (gateway: string | undefined, subnet: string | undefined) =>
		gateway === undefined || subnet === undefined ? [] : [`${gateway}/${parseCidr(subnet).subnet.prefixLength}`];
	const v4 = network.inhibitAddress === true ? [] : withLength(network.gateway, network.subnet);
	return [...v4, ...withLength(network.gateway6, network.subnet6)];
}

function isWanted(network: BridgeNetwork, address: InterfaceAddress): boolean {
	if (address.address.startsWith("fe80:")) return true;
	return wantedAddresses(network).includes(`${address.address}/${address.prefixLength}`);
}

/** Lets the host forward packets, which containers need to reach anything beyond it. @returns what was changed */
export function enableForwarding(family: 4 | 6): boolean {
	if (family === 4) return setSysctl("ipv4/ip_forward", "1");
	// A forwarding host ignores router advertisements, and with them loses its own address, unless told otherwise.
	for (const name of readdirSync("/proc/sys/net/ipv6/conf"))
		if (readSysctl(`ipv6/conf/${name}/accept_ra`) === "1" && name !== "all" && name !== "default")
			setSysctl(`ipv6/conf/${name}/accept_ra`, "2");
	return setSysctl("ipv6/conf/all/forwarding", "1");
}

/** Writes only what differs: some sysctls have side effects at every write. A file that is not there is passed over. */
function setSysctl(path: string, value: string): boolean {
	const present = readSysctl(path);
	if (present === undefined || present === value) return false;
	writeFileSync(`/proc/sys/net/${path}`, value);
	return true;
}

function readSysctl(path: string): string | undefined {
	try {
		return readFileSync(`/proc/sys/net/${path}`, "utf8").trim();
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return undefined;
		throw error;
	}
}
