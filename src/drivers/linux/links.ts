/** Network interfaces by rtnetlink (include/uapi/linux/if_link.h, rtnetlink(7)). */
import { errnoCode } from "../../base/errors.ts";
import { type NetlinkRequest, type NetlinkSocket, NLM_F } from "./netlink.ts";
import { attributeText, decodeAttributes, type NetlinkMessage, NetlinkPayload } from "./netlink-message.ts";

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const AF_BRIDGE = 7;
const AF_INET6 = 10;
const IFINFOMSG_BYTES = 16;

/** Attributes of interfaces. */
export const IFLA = {
	ADDRESS: 1,
	IFNAME: 3,
	MTU: 4,
	LINK: 5,
	MASTER: 10,
	PROTINFO: 12,
	LINKINFO: 18,
	NET_NS_PID: 19,
	IFALIAS: 20,
	STATS64: 23,
	AF_SPEC: 26,
	NET_NS_FD: 28,
	EXT_MASK: 29,
} as const;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_MODE_NONE = 1;
const IFLA_BRPORT_STATE = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_STP_STATE = 5;
const RTEXT_FILTER_SKIP_STATS = 8;

const IFF_UP = 1;
const IFF_NOARP = 0x80;

export interface Link {
	readonly index: number;
	readonly name: string;
	readonly isUp: boolean;
	readonly mtu: number;
	/** `02:42:…`; empty for interfaces without one. */
	readonly macAddress: string;
	/** Index of the bridge it belongs to; 0: none. */
	readonly masterIndex: number;
	/** `bridge`, `veth`, …; empty for hardware. */
	readonly kind: string;
	readonly alias: string;
	readonly statistics: LinkStatistics;
}

export interface LinkStatistics {
	readonly rxBytes: number;
	readonly rxPackets: number;
	readonly rxErrors: number;
	readonly rxDropped: number;
	readonly txBytes: number;
	readonly txPackets: number;
	readonly txErrors: number;
	readonly txDropped: number;
}

/** struct ifinfomsg. `up` undefined leaves the flag alone. */
export function interfaceHeader(index: number, up?: boolean, family = 0, noArp?: boolean): Uint8Array {
	const header = Buffer.alloc(IFINFOMSG_BYTES);
	header.writeUInt8(family, 0);
	header.writeInt32LE(index, 4);
	header.writeUInt32LE((up === true ? IFF_UP : 0) | (noArp === true ? IFF_NOARP : 0), 8);
	header.writeUInt32LE((up === undefined ? 0 : IFF_UP) | (noArp === undefined ? 0 : IFF_NOARP), 12);
	return header;
}

export function listLinks(socket: NetlinkSocket): Link[] {
	const payload = new NetlinkPayload(interfaceHeader(0));
	return socket.dump({ type: RTM_GETLINK, payload, purpose: "link list" }).map(parseLink);
}

/** Undefined when there is none of that name. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
	const payload = new NetlinkPayload(interfaceHeader(0)).text(IFLA.IFNAME, name);
	try {
		return parseLink(socket.get({ type: RTM_GETLINK, payload, purpose: `link show ${name}` }));
	} catch (error) {
		if (errnoCode(error) === "ENODEV") return undefined;
		throw error;
	}
}

/** Index of an interface, without its statistics: cheaper than `findLink`. */
export function findLinkIndex(socket: NetlinkSocket, name: string): number | undefined {
	const payload = new NetlinkPayload(interfaceHeader(0))
		.text(IFLA.IFNAME, name)
		.uint32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	try {
		return socket.get({ type: RTM_GETLINK, payload, purpose: `link show ${name}` }).payload.readInt32LE(4);
	} catch (error) {
		if (errnoCode(error) === "ENODEV") return undefined;
		throw error;
	}
}

function parseLink(message: NetlinkMessage): Link {
	const { payload } = message;
	const attributes = decodeAttributes(payload, IFINFOMSG_BYTES);
	const info = attributes.get(IFLA.LINKINFO);
	return {
		index: payload.readInt32LE(4),
		name: attributeText(attributes.get(IFLA.IFNAME)) ?? "",
		isUp: (payload.readUInt32LE(8) & IFF_UP) !== 0,
		mtu: attributes.get(IFLA.MTU)?.readUInt32LE() ?? 0,
		macAddress: formatMac(attributes.get(IFLA.ADDRESS)),
		masterIndex: attributes.get(IFLA.MASTER)?.readUInt32LE() ?? 0,
		kind: info === undefined ? "" : (attributeText(decodeAttributes(info).get(IFLA_INFO_KIND)) ?? ""),
		alias: attributeText(attributes.get(IFLA.IFALIAS)) ?? "",
		statistics: parseStatistics(attributes.get(IFLA.STATS64)),
	};
}

/** struct rtnl_link_stats64. */
function parseStatistics(data: Buffer | undefined): LinkStatistics {
	const at = (index: number) =>
		data === undefined || data.length < (index + 1) * 8 ? 0 : Number(data.readBigUInt64LE(index * 8));
	return {
		rxPackets: at(0),
		txPackets: at(1),
		rxBytes: at(2),
		txBytes: at(3),
		rxErrors: at(4),
		txErrors: at(5),
		rxDropped: at(6),
		txDropped: at(7),
	};
}

export interface BridgeOptions {
	readonly macAddress?: string;
	readonly mtu?: number;
}

/** A bridge without spanning tree and forward delay, down. */
export function addBridgeRequest(name: string, options: BridgeOptions = {}): NetlinkRequest {
	const data = new NetlinkPayload().uint32(IFLA_BR_FORWARD_DELAY, 0).uint32(IFLA_BR_STP_STATE, 0);
	const info = new NetlinkPayload().text(IFLA_INFO_KIND, "bridge").nested(IFLA_INFO_DATA, data);
	const payload = new NetlinkPayload(interfaceHeader(0)).text(IFLA.IFNAME, name);
	if (options.macAddress !== undefined) payload.bytes(IFLA.ADDRESS, parseMac(options.macAddress));
	if (options.mtu !== undefined) payload.uint32(IFLA.MTU, options.mtu);
	payload.nested(IFLA.LINKINFO, info);
	return { type: RTM_NEWLINK, flags: NLM_F.CREATE | NLM_F.EXCL, payload, purpose: `link add ${name} type bridge` };
}

export interface VethOptions {
	readonly name: string;
	readonly mtu: number;
	readonly peer: {
		readonly name: string;
		/** Descriptor of the namespace the peer is made in; absent: the socket's own. */
		readonly namespaceFd?: number;
		readonly macAddress: string;
	};
}

/** A pair of virtual interfaces, both down. The peer never exists outside its namespace. */
export function addVethRequest(options: VethOptions): NetlinkRequest {
	const peer = new NetlinkPayload(interfaceHeader(0))
		.text(IFLA.IFNAME, options.peer.name)
		.uint32(IFLA.MTU, options.mtu)
		.bytes(IFLA.ADDRESS, parseMac(options.peer.macAddress));
	if (options.peer.namespaceFd !== undefined) peer.uint32(IFLA.NET_NS_FD, options.peer.namespaceFd);
	const info = new NetlinkPayload()
		.text(IFLA_INFO_KIND, "veth")
		.nested(IFLA_INFO_DATA, new NetlinkPayload().nested(VETH_INFO_PEER, peer));
	const payload = new NetlinkPayload(interfaceHeader(0))
		.text(IFLA.IFNAME, options.name)
		.uint32(IFLA.MTU, options.mtu)
		.nested(IFLA.LINKINFO, info);
	return {
		type: RTM_NEWLINK,
		flags: NLM_F.CREATE | NLM_F.EXCL,
		payload,
		purpose: `link add ${options.name} type veth`,
	};
}

export interface LinkChange {
	readonly up?: boolean;
	readonly mtu?: number;
	readonly macAddress?: string;
	/** Index of the bridge to join; 0 leaves. */
	readonly masterIndex?: number;
	readonly newName?: string;
	/** Moves it to another namespace. */
	readonly namespaceFd?: number;
	readonly alias?: string;
	/** No IPv6 link-local address, hence no duplicate address detection when it comes up. */
	readonly noLinkLocal?: boolean;
	/** No neighbour discovery: packets go to the interface's own hardware address. */
	readonly noArp?: boolean;
}

/** Changes one interface, named or by index. */
export function setLinkRequest(link: string | number, change: LinkChange): NetlinkRequest {
	const index = typeof link === "number" ? link : 0;
	const payload = new NetlinkPayload(interfaceHeader(index, change.up, 0, change.noArp));
	if (typeof link === "string") payload.text(IFLA.IFNAME, link);
	if (change.newName !== undefined) payload.text(IFLA.IFNAME, change.newName);
	if (change.mtu !== undefined) payload.uint32(IFLA.MTU, change.mtu);
	if (change.macAddress !== undefined) payload.bytes(IFLA.ADDRESS, parseMac(change.macAddress));
	if (change.masterIndex !== undefined) payload.uint32(IFLA.MASTER, change.masterIndex);
	if (change.namespaceFd !== undefined) payload.uint32(IFLA.NET_NS_FD, change.namespaceFd);
	if (change.alias !== undefined) payload.bytes(IFLA.IFALIAS, Buffer.from(change.alias));
	if (change.noLinkLocal === true) {
		const inet6 = new NetlinkPayload().uint8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE);
		payload.nested(IFLA.AF_SPEC, new NetlinkPayload().nested(AF_INET6, inet6));
	}
	return { type: RTM_NEWLINK, payload, purpose: `link set ${link}` };
}

export interface BridgePortOptions {
	/** Frames may go back out of the port they came from. */
	readonly hairpin?: boolean;
	/** Isolated ports reach the bridge itself, never one another (Linux ≥ 4.18). */
	readonly isolated?: boolean;
	/** Neither forwards nor learns. */
	readonly disabled?: boolean;
}

export function setBridgePortRequest(index: number, options: BridgePortOptions): NetlinkRequest {
	const port = new NetlinkPayload();
	if (options.disabled === true) port.uint8(IFLA_BRPORT_STATE, 0);
	if (options.hairpin !== undefined) port.uint8(IFLA_BRPORT_MODE, options.hairpin ? 1 : 0);
	if (options.isolated !== undefined) port.uint8(IFLA_BRPORT_ISOLATED, options.isolated ? 1 : 0);
	const payload = new NetlinkPayload(interfaceHeader(index, undefined, AF_BRIDGE)).nested(IFLA.PROTINFO, port);
	return { type: RTM_SETLINK, payload, purpose: `bridge link set ${index}` };
}

/** Removes an interface; a veth's other end goes with it. Gone already is success. @returns whether there was one */
export function deleteLink(socket: NetlinkSocket, link: string | number): boolean {
	const payload = new NetlinkPayload(interfaceHeader(typeof link === "number" ? link : 0));
	if (typeof link === "string") payload.text(IFLA.IFNAME, link);
	try {
		socket.request({ type: RTM_DELLINK, payload, purpose: `link delete ${link}` });
		return true;
	} catch (error) {
		if (errnoCode(error) === "ENODEV") return false;
		throw error;
	}
}

export function parseMac(text: string): Uint8Array {
	return Buffer.from(text.replace(/[:-]/g, ""), "hex");
}

function formatMac(bytes: Buffer | undefined): string {
	return bytes === undefined ? "" : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
