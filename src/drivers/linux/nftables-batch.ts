/**
 * Small fixed rulesets by nf_tables' own netlink messages (include/uapi/linux/netfilter/nf_tables.h): a fraction of what
 * libnftables takes, which makes a context and reads the ruleset anew for each namespace. Numbers are big-endian there.
 */
import { type NetlinkRequest, type NetlinkSocket, NLM_F } from "./netlink.ts";
import { NetlinkPayload } from "./netlink-message.ts";

const SUBSYSTEM = 10;
const MESSAGE = { newTable: 0, newChain: 3, newRule: 6, deleteRule: 8, batchBegin: 0x10, batchEnd: 0x11 } as const;
const FAMILY = { ip: 2, ip6: 10 } as const;
export const HOOK = { input: 1, output: 3 } as const;

const TABLE_NAME = 1;
const CHAIN = { table: 1, name: 3, hook: 4, type: 7 } as const;
const CHAIN_HOOK = { number: 1, priority: 2 } as const;
const RULE = { table: 1, chain: 2, expressions: 4 } as const;
const LIST_ELEMENT = 1;
const EXPRESSION = { name: 1, data: 2 } as const;
const PAYLOAD = {
	destination: 1,
	base: 2,
	offset: 3,
	length: 4,
	source: 5,
	checksumType: 6,
	checksumOffset: 7,
} as const;
const COMPARE = { source: 1, operator: 2, data: 3 } as const;
const META = { destination: 1, key: 2 } as const;
const IMMEDIATE = { destination: 1, data: 2 } as const;
const DATA_VALUE = 1;

const REGISTER = 1;
const EQUAL = 0;
const META_L4PROTO = 16;
const CHECKSUM_INET = 1;
const BASE = { network: 1, transport: 2 } as const;

const NESTED = 0x8000;

/** One expression of a rule, encoded. Those that are always the same are made once. */
export type Expression = Uint8Array;

export interface HeaderField {
	readonly base: keyof typeof BASE;
	/** Bytes from the header's start. */
	readonly offset: number;
}

export interface RulesetTable {
	readonly family: keyof typeof FAMILY;
	readonly name: string;
}

export interface RulesetChain {
	readonly name: string;
	readonly hook: number;
	readonly priority: number;
	/** Expressions of each rule. */
	readonly rules: readonly (readonly Expression[])[];
}

/**
 * Makes a table with one filter chain, or gives the chain these rules for those it has, in one transaction.
 * @param socket of protocol NETLINK_NETFILTER, in the namespace it is for @throws ErrnoError
 */
export function installChain(socket: NetlinkSocket, table: RulesetTable, chain: RulesetChain): void {
	const header = Buffer.from([FAMILY[table.family], 0, 0, 0]);
	const make = (message: number, purpose: string, fill: (payload: NetlinkPayload) => NetlinkPayload, flags = 0) => ({
		type: (SUBSYSTEM << 8) | message,
		flags,
		payload: fill(new NetlinkPayload(header)),
		purpose: `${purpose} ${table.name}`,
	});
	const hook = uint32(uint32(new NetlinkPayload(), CHAIN_HOOK.number, chain.hook), CHAIN_HOOK.priority, chain.priority);
	socket.requestTransaction(
		[envelope(MESSAGE.batchBegin), envelope(MESSAGE.batchEnd)],
		[
			make(MESSAGE.newTable, "nft table", (payload) => payload.text(TABLE_NAME, table.name), NLM_F.CREATE),
			make(
				MESSAGE.newChain,
				"nft chain",
				(payload) =>
					payload
						.text(CHAIN.table, table.name)
						.text(CHAIN.name, chain.name)
						.nested(CHAIN.hook, hook)
						.text(CHAIN.type, "filter"),
				NLM_F.CREATE,
			),
			// Without a handle: all of the chain.
			make(MESSAGE.deleteRule, "nft flush", (payload) =>
				payload.text(RULE.table, table.name).text(RULE.chain, chain.name),
			),
			...chain.rules.map((expressions) =>
				make(
					MESSAGE.newRule,
					"nft rule",
					(payload) =>
						payload
							.text(RULE.table, table.name)
							.text(RULE.chain, chain.name)
							.nested(
								RULE.expressions,
								expressions.reduce((list, each) => list.bytes(LIST_ELEMENT | NESTED, each), new NetlinkPayload()),
							),
					NLM_F.CREATE | NLM_F.APPEND,
				),
			),
		],
	);
}

function envelope(type: number): NetlinkRequest {
	return { type, payload: new NetlinkPayload(Buffer.from([0, 0, 0, SUBSYSTEM])), purpose: "nft batch" };
}

/** Goes on with packets whose field has this value. */
export function matchField(field: HeaderField, value: Uint8Array): Expression[] {
	return [loadField(field, value.length), compare(value)];
}

/** Goes on with packets of this transport protocol. */
export function matchProtocol(protocol: number): Expression[] {
	const meta = uint32(uint32(new NetlinkPayload(), META.destination, REGISTER), META.key, META_L4PROTO);
	return [expression("meta", meta), compare(Uint8Array.of(protocol))];
}

/** Writes a field of the transport header, and the checksum that is so many bytes from its start. */
export function setField({ base, offset }: HeaderField, value: Uint8Array, checksumOffset: number): Expression[] {
	const data = new NetlinkPayload().bytes(DATA_VALUE, value);
	const immediate = uint32(new NetlinkPayload(), IMMEDIATE.destination, REGISTER).nested(IMMEDIATE.data, data);
	const write = fieldOf({ base, offset }, value.length);
	uint32(
		uint32(uint32(write, PAYLOAD.source, REGISTER), PAYLOAD.checksumType, CHECKSUM_INET),
		PAYLOAD.checksumOffset,
		checksumOffset,
	);
	return [expression("immediate", immediate), expression("payload", write)];
}

function loadField(field: HeaderField, length: number): Expression {
	return expression("payload", uint32(fieldOf(field, length), PAYLOAD.destination, REGISTER));
}

function fieldOf({ base, offset }: HeaderField, length: number): NetlinkPayload {
	const payload = uint32(new NetlinkPayload(), PAYLOAD.base, BASE[base]);
	return uint32(uint32(payload, PAYLOAD.offset, offset), PAYLOAD.length, length);
}

function compare(value: Uint8Array): Expression {
	const payload = uint32(uint32(new NetlinkPayload(), COMPARE.source, REGISTER), COMPARE.operator, EQUAL);
	return expression("cmp", payload.nested(COMPARE.data, new NetlinkPayload().bytes(DATA_VALUE, value)));
}

function expression(name: string, data: NetlinkPayload): Expression {
	return new NetlinkPayload().text(EXPRESSION.name, name).nested(EXPRESSION.data, data).encode();
}

function uint32(payload: NetlinkPayload, type: number, value: number): NetlinkPayload {
	const bytes = Buffer.alloc(4);
	bytes.writeInt32BE(value | 0);
	return payload.bytes(type, bytes);
}
