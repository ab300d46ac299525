/** IP addresses and routes by rtnetlink (include/uapi/linux/if_addr.h, rtnetlink.h). */
import { formatIp, ipFromBytes, ipToBytes, parseCidr, parseIp } from "../../core/network/ip-address.ts";
import { type NetlinkRequest, type NetlinkSocket, NLM_F } from "./netlink.ts";
import { decodeAttributes, NetlinkPayload } from "./netlink-message.ts";

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const AF_INET = 2;
const AF_INET6 = 10;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const ADDRESS_HEADER_BYTES = 8;
const ROUTE_HEADER_BYTES = 12;

/** An address with the length of its network, as `172.17.0.1/16`. */
export interface InterfaceAddress {
	readonly address: string;
	readonly prefixLength: number;
	readonly linkIndex: number;
}

export interface Route {
	/** CIDR form; the default route is `0.0.0.0/0` or `::/0`. */
	readonly destination: string;
	readonly gateway: string | undefined;
	readonly linkIndex: number;
}

/** @param cidr `address/length` @throws InvalidParameterError */
export function addAddressRequest(linkIndex: number, cidr: string): NetlinkRequest {
	const { bytes, prefixLength } = cidrBytes(cidr);
	const payload = new NetlinkPayload(addressHeader(bytes, prefixLength, linkIndex))
		.bytes(IFA_LOCAL, bytes)
		.bytes(IFA_ADDRESS, bytes);
	if (bytes.length === 4 && prefixLength < 31) payload.bytes(IFA_BROADCAST, broadcastOf(bytes, prefixLength));
	// Nobody else gives out addresses of our subnets: probing for duplicates would only delay the start.
	if (bytes.length === 16) payload.uint32(IFA_FLAGS, IFA_F_NODAD);
	return {
		type: RTM_NEWADDR,
		flags: NLM_F.CREATE | NLM_F.REPLACE,
		payload,
		purpose: `address add ${cidr}`,
	};
}

export function deleteAddressRequest(linkIndex: number, cidr: string): NetlinkRequest {
	const { bytes, prefixLength } = cidrBytes(cidr);
	const payload = new NetlinkPayload(addressHeader(bytes, prefixLength, linkIndex)).bytes(IFA_LOCAL, bytes);
	return { type: RTM_DELADDR, payload, purpose: `address delete ${cidr}` };
}

/** struct ifaddrmsg. */
function addressHeader(bytes: Uint8Array, prefixLength: number, linkIndex: number): Uint8Array {
	const header = Buffer.alloc(ADDRESS_HEADER_BYTES);
	header.writeUInt8(bytes.length === 4 ? AF_INET : AF_INET6, 0);
	header.writeUInt8(prefixLength, 1);
	header.writeInt32LE(linkIndex, 4);
	return header;
}

/** Default route when `destination` is not given. A route without gateway is on-link. */
export function addRouteRequest(route: {
	readonly linkIndex: number;
	readonly gateway?: string;
	readonly destination?: string;
	readonly family?: 4 | 6;
}): NetlinkRequest {
	const gateway = route.gateway === undefined ? undefined : ipToBytes(parseIp(route.gateway));
	const destination = route.destination === undefined ? undefined : cidrBytes(route.destination);
	const isV6 = (gateway ?? destination?.bytes)?.length === 16 || route.family === 6;
	const header = Buffer.alloc(ROUTE_HEADER_BYTES);
	header.writeUInt8(isV6 ? AF_INET6 : AF_INET, 0);
	header.writeUInt8(destination?.prefixLength ?? 0, 1);
	header.writeUInt8(RT_TABLE_MAIN, 4);
	header.writeUInt8(RTPROT_BOOT, 5);
	header.writeUInt8(gateway === undefined ? RT_SCOPE_LINK : 0, 6);
	header.writeUInt8(RTN_UNICAST, 7);
	const payload = new NetlinkPayload(header);
	if (destination !== undefined) payload.bytes(RTA_DST, destination.bytes);
	if (gateway !== undefined) payload.bytes(RTA_GATEWAY, gateway);
	payload.uint32(RTA_OIF, route.linkIndex);
	return {
		type: RTM_NEWROUTE,
		flags: NLM_F.CREATE | NLM_F.REPLACE,
		payload,
		purpose: `route add ${route.destination ?? "default"} via ${route.gateway ?? "link"}`,
	};
}

/** The default route of a family through one interface. @throws ErrnoError ESRCH when there is none */
export function deleteRouteRequest(route: { readonly linkIndex: number; readonly family: 4 | 6 }): NetlinkRequest {
	const header = Buffer.alloc(ROUTE_HEADER_BYTES);
	header.writeUInt8(route.family === 4 ? AF_INET : AF_INET6, 0);
	header.writeUInt8(RT_TABLE_MAIN, 4);
	// Any scope.
	header.writeUInt8(RT_SCOPE_NOWHERE, 6);
	const payload = new NetlinkPayload(header).uint32(RTA_OIF, route.linkIndex);
	return { type: RTM_DELROUTE, payload, purpose: "route delete default" };
}

export function listAddresses(socket: NetlinkSocket): InterfaceAddress[] {
	const payload = new NetlinkPayload(Buffer.alloc(ADDRESS_HEADER_BYTES));
	return socket.dump({ type: RTM_GETADDR, payload, purpose: "address list" }).flatMap((message) => {
		const attributes = decodeAttributes(message.payload, ADDRESS_HEADER_BYTES);
		const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
		if (bytes === undefined) return [];
		return {
			address: formatIp(ipFromBytes(bytes)),
			prefixLength: message.payload.readUInt8(1),
			linkIndex: message.payload.readInt32LE(4),
		};
	});
}

/** Unicast routes of the main table, both families. */
export function listRoutes(socket: NetlinkSocket): Route[] {
	return [AF_INET, AF_INET6].flatMap((family) => {
		const header = Buffer.alloc(ROUTE_HEADER_BYTES);
		header.writeUInt8(family, 0);
		const messages = socket.dump({ type: RTM_GETROUTE, payload: new NetlinkPayload(header), purpose: "route list" });
		return messages.flatMap((message) => parseRoute(message.payload, family) ?? []);
	});
}

function parseRoute(payload: Buffer, family: number): Route | undefined {
	const attributes = decodeAttributes(payload, ROUTE_HEADER_BYTES);
	const table = attributes.get(RTA_TABLE)?.readUInt32LE() ?? payload.readUInt8(4);
	if (table !== RT_TABLE_MAIN || payload.readUInt8(7) !== RTN_UNICAST) return undefined;
	const destination = attributes.get(RTA_DST);
	const gateway = attributes.get(RTA_GATEWAY);
	const any = family === AF_INET ? "0.0.0.0" : "::";
	return {
		destination: `${destination === undefined ? any : formatIp(ipFromBytes(destination))}/${payload.readUInt8(1)}`,
		gateway: gateway === undefined ? undefined : formatIp(ipFromBytes(gateway)),
		linkIndex: attributes.get(RTA_OIF)?.readUInt32LE() ?? 0,
	};
}

function cidrBytes(text: string): { readonly bytes: Uint8Array; readonly prefixLength: number } {
	const { address, subnet } = parseCidr(text);
	return { bytes: ipToBytes(address), prefixLength: subnet.prefixLength };
}

function broadcastOf(bytes: Uint8Array, prefixLength: number): Uint8Array {
	return bytes.map((byte, index) => {
		const networkBits = Math.min(8, Math.max(0, prefixLength - index * 8));
		return byte | (0xff >> networkBits);
	});
}
