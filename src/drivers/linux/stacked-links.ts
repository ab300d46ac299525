/** Interfaces on top of others (macvlan, ipvlan, VLAN; include/uapi/linux/if_link.h), and the dummy to put them on. */
import { errnoCode } from "../../base/errors.ts";
import { IFLA, IFLA_INFO_DATA, IFLA_INFO_KIND, interfaceHeader, parseMac, RTM_NEWLINK } from "./links.ts";
import { type NetlinkRequest, type NetlinkSocket, NLM_F } from "./netlink.ts";
import { NetlinkPayload } from "./netlink-message.ts";

const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const IFLA_VLAN_ID = 1;

export const MACVLAN_MODE = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
export const IPVLAN_MODE = { l2: 0, l3: 1, l3s: 2 } as const;
export const IPVLAN_FLAG = { bridge: 0, private: 1, vepa: 2 } as const;

interface Stacked {
	readonly name: string;
	/** Index of the interface below. */
	readonly parentIndex: number;
	readonly mtu?: number;
	/** Descriptor of the namespace the interface is made in; absent: the socket's own. */
	readonly namespaceFd?: number;
}

export function addMacvlanRequest(
	link: Stacked & { readonly mode: keyof typeof MACVLAN_MODE; readonly macAddress: string },
): NetlinkRequest {
	const data = new NetlinkPayload().uint32(IFLA_MACVLAN_MODE, MACVLAN_MODE[link.mode]);
	return stackedRequest("macvlan", link, data, link.macAddress);
}

/** It has its parent's hardware address. */
export function addIpvlanRequest(
	link: Stacked & { readonly mode: keyof typeof IPVLAN_MODE; readonly flag: keyof typeof IPVLAN_FLAG },
): NetlinkRequest {
	const data = new NetlinkPayload()
		.uint16(IFLA_IPVLAN_MODE, IPVLAN_MODE[link.mode])
		.uint16(IFLA_IPVLAN_FLAGS, IPVLAN_FLAG[link.flag]);
	return stackedRequest("ipvlan", link, data);
}

export function addVlanRequest(link: Stacked & { readonly vlanId: number }): NetlinkRequest {
	return stackedRequest("vlan", link, new NetlinkPayload().uint16(IFLA_VLAN_ID, link.vlanId));
}

/** An interface that leads nowhere. */
export function addDummyRequest(name: string): NetlinkRequest {
	const payload = new NetlinkPayload(interfaceHeader(0))
		.text(IFLA.IFNAME, name)
		.nested(IFLA.LINKINFO, new NetlinkPayload().text(IFLA_INFO_KIND, "dummy"));
	return { type: RTM_NEWLINK, flags: NLM_F.CREATE | NLM_F.EXCL, payload, purpose: `link add ${name} type dummy` };
}

function stackedRequest(kind: string, link: Stacked, data: NetlinkPayload, macAddress?: string): NetlinkRequest {
	const info = new NetlinkPayload().text(IFLA_INFO_KIND, kind).nested(IFLA_INFO_DATA, data);
	const payload = new NetlinkPayload(interfaceHeader(0))
		.text(IFLA.IFNAME, link.name)
		.uint32(IFLA.LINK, link.parentIndex);
	if (link.mtu !== undefined) payload.uint32(IFLA.MTU, link.mtu);
	if (macAddress !== undefined) payload.bytes(IFLA.ADDRESS, parseMac(macAddress));
	if (link.namespaceFd !== undefined) payload.uint32(IFLA.NET_NS_FD, link.namespaceFd);
	payload.nested(IFLA.LINKINFO, info);
	return {
		type: RTM_NEWLINK,
		flags: NLM_F.CREATE | NLM_F.EXCL,
		payload,
		purpose: `link add ${link.name} type ${kind}`,
	};
}

/**
 * Whether the kernel can make interfaces of a kind that stand on others. Asked with a request that lacks the parent: where the
 * kind is known it is refused for that, and nothing is made.
 */
export function hasLinkKind(socket: NetlinkSocket, kind: "macvlan" | "ipvlan" | "vlan"): boolean {
	const payload = new NetlinkPayload(interfaceHeader(0))
		.text(IFLA.IFNAME, "gantry-probe")
		.nested(IFLA.LINKINFO, new NetlinkPayload().text(IFLA_INFO_KIND, kind));
	try {
		socket.request({ type: RTM_NEWLINK, flags: NLM_F.CREATE | NLM_F.EXCL, payload, purpose: `probe ${kind}` });
	} catch (error) {
		return errnoCode(error) !== "EOPNOTSUPP";
	}
	return true;
}
