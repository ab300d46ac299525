/**
 * The detour that makes published ports obey the host's own input chains.
 *
 * Address translation comes before routing, so a translated packet is forwarded and no input chain ever sees it. Here the first
 * packet of a connection is not translated at once: it is delivered like one to a service of the host's, and so meets the
 * host's input chains. Whatever of it comes out behind the last of them is sent once more, by a pair of interfaces from the
 * host to itself, and translated when it comes back. All further packets of the connection are translated by connection
 * tracking and take the short way.
 *
 *   <name>-go  what the last input chain sends out   ──>   <name>-gi  where it comes in again
 */
import { writeFileSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import { addAddressRequest, addRouteRequest } from "../linux/addresses.ts";
import { addVethRequest, deleteLink, findLinkIndex, setLinkRequest } from "../linux/links.ts";
import type { NetlinkRequest, NetlinkSocket } from "../linux/netlink.ts";

/** Dummy address of hosts without IPv4 (RFC 7600): loose reverse path filters ask that an interface has any. */
const DUMMY_ADDRESS = "192.0.0.8/32";
/** Nobody: in the prefix for discarding (RFC 6666). IPv6 has to be told by which interface to reach it. */
export const GATE_TARGET = { ip: "192.0.0.8", ip6: "100::8" } as const;
/** The same on both ends: without neighbour discovery packets are sent to the sender's own address. */
const MAC_ADDRESS = "02:42:c0:00:00:08";
/** Datagrams have been put together again by then, and must pass in one piece. */
const MTU = 65_535;

export interface InputGate {
	/** Where the last input chain sends what it has seen. */
	readonly outgoing: string;
	/** Where that comes in again. */
	readonly incoming: string;
}

/** @param name at most twelve bytes */
export function inputGate(name: string): InputGate {
	return { outgoing: `${name}-go`, incoming: `${name}-gi` };
}

/** Makes the pair, or brings it back to what it must be. @throws ErrnoError */
export function ensureInputGate(host: NetlinkSocket, gate: InputGate): void {
	const { outgoing, incoming } = gate;
	if (findLinkIndex(host, outgoing) === undefined || findLinkIndex(host, incoming) === undefined) {
		removeInputGate(host, gate);
		host.request(addVethRequest({ name: outgoing, mtu: MTU, peer: { name: incoming, macAddress: MAC_ADDRESS } }));
	}
	const settings = { macAddress: MAC_ADDRESS, noArp: true, noLinkLocal: true } as const;
	host.requestAll([setLinkRequest(outgoing, settings), setLinkRequest(incoming, settings)]);
	writeSettings(`ipv4/conf/${incoming}`, { forwarding: "1", rp_filter: "2" });
	for (const name of [outgoing, incoming]) writeSettings(`ipv6/conf/${name}`, { disable_ipv6: "0", accept_ra: "0" });
	host.requestAll([setLinkRequest(outgoing, { up: true }), setLinkRequest(incoming, { up: true })]);
	host.requestAll(addressing(host, gate));
	// Makes the kernel see the carriers now: packets are lost until then.
	findLinkIndex(host, incoming);
	findLinkIndex(host, outgoing);
}

export function removeInputGate(host: NetlinkSocket, { outgoing, incoming }: InputGate): void {
	deleteLink(host, outgoing);
	deleteLink(host, incoming);
}

function addressing(host: NetlinkSocket, { outgoing, incoming }: InputGate): NetlinkRequest[] {
	const requests = [addAddressRequest(findLinkIndex(host, incoming) ?? 0, DUMMY_ADDRESS)];
	const linkIndex = findLinkIndex(host, outgoing) ?? 0;
	return hasIpv6(outgoing)
		? [...requests, addRouteRequest({ linkIndex, destination: `${GATE_TARGET.ip6}/128` })]
		: requests;
}

function hasIpv6(name: string): boolean {
	return writeSettings(`ipv6/conf/${name}`, { disable_ipv6: "0" });
}

/** @returns false where the kernel has no such settings: it has no IPv6 */
function writeSettings(path: string, values: Readonly<Record<string, string>>): boolean {
	for (const [name, value] of Object.entries(values))
		try {
			writeFileSync(`/proc/sys/net/${path}/${name}`, value);
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return false;
			throw error;
		}
	return true;
}
