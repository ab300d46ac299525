/**
 * Port 53 of 127.0.0.11 inside a container's namespace, without binding it: a container may run a name server of its own on all
 * its addresses. Packets to that address have their ports rewritten on their way out, both ways and without connection
 * tracking, which would cost every other packet of the container something:
 *
 *   table ip gantry-names { chain out { type filter hook output priority -300
 *     ip daddr 127.0.0.11 udp dport 53 udp dport set <port>
 *     ip saddr 127.0.0.11 udp sport <port> udp sport set 53        and the same for TCP
 *
 * Written as nf_tables messages (include/uapi/linux/netfilter/nf_tables.h): a start waits for it, and libnftables takes five
 * times as long to get ready as the kernel does.
 */
import { ipToBytes, parseIp } from "../../core/network/ip-address.ts";
import { NAME_SERVER_ADDRESS } from "../../core/network/name-server.ts";
import { NETLINK_NETFILTER, type NetlinkRequest, NetlinkSocket, NLM_F } from "../linux/netlink.ts";
import { NetlinkPayload } from "../linux/netlink-message.ts";

const TABLE = "gantry-names";
const CHAIN = "out";
const DNS_PORT = 53;
const PRIORITY = -300;

const SUBSYSTEM = 10;
const MESSAGE = { newTable: 0, newChain: 3, newRule: 6, deleteRule: 8 } as const;
const AF_INET = 2;
const HOOK_LOCAL_OUT = 3;
const REGISTER = 1;
const META_L4PROTO = 16;
const BASE = { network: 1, transport: 2 } as const;
const CHECKSUM_INTERNET = 1;

const NFTA = {
	TABLE_NAME: 1,
	CHAIN_TABLE: 1,
	CHAIN_NAME: 3,
	CHAIN_HOOK: 4,
	CHAIN_TYPE: 7,
	HOOK_NUMBER: 1,
	HOOK_PRIORITY: 2,
	RULE_TABLE: 1,
	RULE_CHAIN: 2,
	RULE_EXPRESSIONS: 4,
	LIST_ELEMENT: 1,
	EXPRESSION_NAME: 1,
	EXPRESSION_DATA: 2,
	DATA_VALUE: 1,
	META_DREG: 1,
	META_KEY: 2,
	CMP_SREG: 1,
	CMP_OP: 2,
	CMP_DATA: 3,
	IMMEDIATE_DREG: 1,
	IMMEDIATE_DATA: 2,
	PAYLOAD_DREG: 1,
	PAYLOAD_BASE: 2,
	PAYLOAD_OFFSET: 3,
	PAYLOAD_LENGTH: 4,
	PAYLOAD_SREG: 5,
	PAYLOAD_CHECKSUM_TYPE: 6,
	PAYLOAD_CHECKSUM_OFFSET: 7,
} as const;

const PROTOCOLS = {
	udp: { number: 17, checksumOffset: 6 },
	tcp: { number: 6, checksumOffset: 16 },
} as const;
/** Of source and destination, in the IPv4 header and in that of UDP and TCP. */
const SOURCE = { addressOffset: 12, portOffset: 0 } as const;
const DESTINATION = { addressOffset: 16, portOffset: 2 } as const;

/** Leads the well-known port to these. Call inside the namespace; again to change the ports. @throws ErrnoError */
export function redirectNamePort(ports: { readonly udp: number; readonly tcp: number }): void {
	const rules = (["udp", "tcp"] as const).flatMap((protocol) => [
		rewrite(protocol, DESTINATION, DNS_PORT, ports[protocol]),
		rewrite(protocol, SOURCE, ports[protocol], DNS_PORT),
	]);
	const chain = () => message().text(NFTA.CHAIN_TABLE, TABLE);
	const hook = new NetlinkPayload()
		.bytes(NFTA.HOOK_NUMBER, word(HOOK_LOCAL_OUT))
		.bytes(NFTA.HOOK_PRIORITY, word(PRIORITY));
	using socket = new NetlinkSocket(NETLINK_NETFILTER);
	socket.transaction(SUBSYSTEM, [
		request(MESSAGE.newTable, NLM_F.CREATE, message().text(NFTA.TABLE_NAME, TABLE)),
		request(
			MESSAGE.newChain,
			NLM_F.CREATE,
			chain().text(NFTA.CHAIN_NAME, CHAIN).nested(NFTA.CHAIN_HOOK, hook).text(NFTA.CHAIN_TYPE, "filter"),
		),
		// All rules of the chain: those of an earlier daemon.
		request(MESSAGE.deleteRule, 0, rule()),
		...rules.map((expressions) =>
			request(MESSAGE.newRule, NLM_F.CREATE | NLM_F.APPEND, rule().nested(NFTA.RULE_EXPRESSIONS, expressions)),
		),
	]);
}

function request(type: number, flags: number, payload: NetlinkPayload): NetlinkRequest {
	return { type: (SUBSYSTEM << 8) | type, flags, payload, purpose: "nftables rules of the name server" };
}

/** struct nfgenmsg. */
function message(): NetlinkPayload {
	return new NetlinkPayload(Uint8Array.of(AF_INET, 0, 0, 0));
}

function rule(): NetlinkPayload {
	return message().text(NFTA.RULE_TABLE, TABLE).text(NFTA.RULE_CHAIN, CHAIN);
}

/** Where protocol, address and port are these, another port takes the port's place. */
function rewrite(
	protocol: keyof typeof PROTOCOLS,
	side: typeof SOURCE | typeof DESTINATION,
	from: number,
	to: number,
): NetlinkPayload {
	const { number, checksumOffset } = PROTOCOLS[protocol];
	const list = new NetlinkPayload();
	const add = (name: string, data: NetlinkPayload) =>
		list.nested(
			NFTA.LIST_ELEMENT,
			new NetlinkPayload().text(NFTA.EXPRESSION_NAME, name).nested(NFTA.EXPRESSION_DATA, data),
		);
	const equals = (value: Uint8Array) =>
		add(
			"cmp",
			new NetlinkPayload()
				.bytes(NFTA.CMP_SREG, word(REGISTER))
				.bytes(NFTA.CMP_OP, word(0))
				.nested(NFTA.CMP_DATA, dataValue(value)),
		);
	add("meta", new NetlinkPayload().bytes(NFTA.META_KEY, word(META_L4PROTO)).bytes(NFTA.META_DREG, word(REGISTER)));
	equals(Uint8Array.of(number));
	add("payload", loadPayload(BASE.network, side.addressOffset, 4));
	equals(ipToBytes(parseIp(NAME_SERVER_ADDRESS)));
	add("payload", loadPayload(BASE.transport, side.portOffset, 2));
	equals(portBytes(from));
	add(
		"immediate",
		new NetlinkPayload()
			.bytes(NFTA.IMMEDIATE_DREG, word(REGISTER))
			.nested(NFTA.IMMEDIATE_DATA, dataValue(portBytes(to))),
	);
	return add(
		"payload",
		placeInPayload(BASE.transport, side.portOffset, 2)
			.bytes(NFTA.PAYLOAD_SREG, word(REGISTER))
			.bytes(NFTA.PAYLOAD_CHECKSUM_TYPE, word(CHECKSUM_INTERNET))
			.bytes(NFTA.PAYLOAD_CHECKSUM_OFFSET, word(checksumOffset)),
	);
}

function loadPayload(base: number, offset: number, length: number): NetlinkPayload {
	return placeInPayload(base, offset, length).bytes(NFTA.PAYLOAD_DREG, word(REGISTER));
}

function placeInPayload(base: number, offset: number, length: number): NetlinkPayload {
	return new NetlinkPayload()
		.bytes(NFTA.PAYLOAD_BASE, word(base))
		.bytes(NFTA.PAYLOAD_OFFSET, word(offset))
		.bytes(NFTA.PAYLOAD_LENGTH, word(length));
}

function dataValue(value: Uint8Array): NetlinkPayload {
	return new NetlinkPayload().bytes(NFTA.DATA_VALUE, value);
}

/** Network byte order. */
function word(value: number): Uint8Array {
	const bytes = Buffer.alloc(4);
	bytes.writeInt32BE(value);
	return bytes;
}

function portBytes(port: number): Uint8Array {
	return Uint8Array.of(port >> 8, port & 0xff);
}
