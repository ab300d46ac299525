/**
 * DNS messages (RFC 1035, EDNS: RFC 6891), as far as the embedded name server needs them: questions are read, own answers
 * written, and others' answers passed on as they are but for their ID and their TTLs. Pure.
 */
import { ipToBytes, parseIp } from "./ip-address.ts";

export const DNS_TYPE = { A: 1, SOA: 6, PTR: 12, AAAA: 28, OPT: 41 } as const;
export const DNS_CLASS_IN = 1;
export const DNS_RCODE = {
	noError: 0,
	formatError: 1,
	serverFailure: 2,
	nameError: 3,
	notImplemented: 4,
	refused: 5,
} as const;

/** What a client without EDNS takes over UDP. */
export const PLAIN_UDP_BYTES = 512;
export const MAX_MESSAGE_BYTES = 65_535;
const HEADER_BYTES = 12;
const FLAG = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const;
const CHECKING_DISABLED = 0x0010;
const POINTER_TO_QUESTION = 0xc00c;
/** Our own limit for EDNS, below every usual MTU (DNS flag day 2020). */
const OWN_UDP_BYTES = 1232;
const EDNS_DO = 0x8000;

export interface DnsQuery {
	readonly id: number;
	/** As asked for, without the last dot. */
	readonly name: string;
	readonly type: number;
	readonly class: number;
	/** Offset behind the question. */
	readonly questionEnd: number;
	readonly recursionDesired: boolean;
	readonly checkingDisabled: boolean;
	readonly edns?: { readonly udpBytes: number; readonly dnssecOk: boolean };
}

/** @returns undefined for what is no query at all and gets no answer; `malformed` for one that cannot be read */
export function parseQuery(message: Buffer): DnsQuery | "malformed" | undefined {
	if (message.length < HEADER_BYTES) return undefined;
	const flags = message.readUInt16BE(2);
	if ((flags & FLAG.response) !== 0) return undefined;
	// Plain queries with one question, all that anybody sends.
	if (((flags >> 11) & 0xf) !== 0 || message.readUInt16BE(4) !== 1) return "malformed";
	const question = readName(message, HEADER_BYTES);
	if (question === undefined || question.end + 4 > message.length) return "malformed";
	const questionEnd = question.end + 4;
	const edns = readEdns(message, questionEnd);
	return {
		id: message.readUInt16BE(0),
		name: question.name,
		type: message.readUInt16BE(question.end),
		class: message.readUInt16BE(question.end + 2),
		questionEnd,
		recursionDesired: (flags & FLAG.recursionDesired) !== 0,
		checkingDisabled: (flags & CHECKING_DISABLED) !== 0,
		...(edns !== undefined && { edns }),
	};
}

/** Labels of a question, which has no compression. */
function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } | undefined {
	const labels: string[] = [];
	let at = start;
	for (;;) {
		const length = message[at];
		if (length === undefined || length > 63 || at + length - start > 254) return undefined;
		if (length === 0) return { name: labels.join("."), end: at + 1 };
		if (at + 1 + length > message.length) return undefined;
		labels.push(message.toString("latin1", at + 1, at + 1 + length));
		at += 1 + length;
	}
}

/** The OPT record of a query, which has no other records. */
function readEdns(message: Buffer, at: number): DnsQuery["edns"] {
	const hasRecords = message.readUInt16BE(6) !== 0 || message.readUInt16BE(8) !== 0;
	if (hasRecords || message.readUInt16BE(10) === 0 || at + 11 > message.length) return undefined;
	if (message[at] !== 0 || message.readUInt16BE(at + 1) !== DNS_TYPE.OPT) return undefined;
	return {
		udpBytes: Math.max(PLAIN_UDP_BYTES, message.readUInt16BE(at + 3)),
		dnssecOk: (message.readUInt16BE(at + 7) & EDNS_DO) !== 0,
	};
}

/** Answers in the order given: addresses (A and AAAA, told by their form), or one name (PTR). */
export interface DnsAnswer {
	readonly rcode: number;
	readonly ttlSeconds: number;
	readonly addresses?: readonly string[];
	readonly pointer?: string;
}

/** @param maxBytes what the client takes; answers that do not fit are left out and the message is marked so */
export function encodeReply(message: Buffer, query: DnsQuery, answer: DnsAnswer, maxBytes: number): Buffer {
	const data = answer.pointer === undefined ? (answer.addresses ?? []).map(addressBytes) : [encodeName(answer.pointer)];
	const optBytes = query.edns === undefined ? 0 : OPT_BYTES;
	let length = query.questionEnd + optBytes;
	let fitting = 0;
	for (const rdata of data) {
		if (length + RECORD_HEADER_BYTES + rdata.length > maxBytes) break;
		length += RECORD_HEADER_BYTES + rdata.length;
		fitting++;
	}
	const reply = Buffer.allocUnsafe(length);
	message.copy(reply, HEADER_BYTES, HEADER_BYTES, query.questionEnd);
	writeHeader(reply, query, answer.rcode, {
		isTruncated: fitting < data.length,
		answers: fitting,
		hasOpt: optBytes > 0,
	});
	let at = query.questionEnd;
	for (let index = 0; index < fitting; index++)
		at = writeRecord(reply, at, { type: query.type, ttlSeconds: answer.ttlSeconds, data: data[index] ?? EMPTY });
	if (optBytes > 0) writeOpt(reply, at);
	return reply;
}

/** For a message whose question cannot be read. */
export function encodeFormatError(message: Buffer): Buffer {
	const header = Buffer.alloc(HEADER_BYTES);
	header.writeUInt16BE(message.readUInt16BE(0), 0);
	header.writeUInt16BE(FLAG.response | DNS_RCODE.formatError, 2);
	return header;
}

function writeHeader(
	reply: Buffer,
	query: DnsQuery,
	rcode: number,
	counts: { readonly isTruncated: boolean; readonly answers: number; readonly hasOpt: boolean },
): void {
	const flags =
		FLAG.response |
		FLAG.recursionAvailable |
		(query.recursionDesired ? FLAG.recursionDesired : 0) |
		(counts.isTruncated ? FLAG.truncated : 0);
	reply.writeUInt16BE(query.id, 0);
	reply.writeUInt16BE(flags | rcode, 2);
	reply.writeUInt16BE(1, 4);
	reply.writeUInt16BE(counts.answers, 6);
	reply.writeUInt16BE(0, 8);
	reply.writeUInt16BE(counts.hasOpt ? 1 : 0, 10);
}

const RECORD_HEADER_BYTES = 12;
const OPT_BYTES = 11;
const EMPTY = Buffer.alloc(0);

/** @returns offset behind the record */
function writeRecord(
	reply: Buffer,
	at: number,
	record: { readonly type: number; readonly ttlSeconds: number; readonly data: Uint8Array },
): number {
	reply.writeUInt16BE(POINTER_TO_QUESTION, at);
	reply.writeUInt16BE(record.type, at + 2);
	reply.writeUInt16BE(DNS_CLASS_IN, at + 4);
	reply.writeUInt32BE(record.ttlSeconds, at + 6);
	reply.writeUInt16BE(record.data.length, at + 10);
	reply.set(record.data, at + RECORD_HEADER_BYTES);
	return at + RECORD_HEADER_BYTES + record.data.length;
}

function writeOpt(reply: Buffer, at: number): void {
	reply.fill(0, at, at + OPT_BYTES);
	reply.writeUInt16BE(DNS_TYPE.OPT, at + 1);
	reply.writeUInt16BE(OWN_UDP_BYTES, at + 3);
}

/** Names are answered thousands of times a second, with a handful of addresses. */
const KEPT_ADDRESSES = 4096;
const bytesOfAddresses = new Map<string, Uint8Array>();

function addressBytes(address: string): Uint8Array {
	const kept = bytesOfAddresses.get(address);
	if (kept !== undefined) return kept;
	if (bytesOfAddresses.size >= KEPT_ADDRESSES) bytesOfAddresses.clear();
	const bytes = ipToBytes(parseIp(address));
	bytesOfAddresses.set(address, bytes);
	return bytes;
}

/** Labels that are too long for DNS are cut: a container's name may have more than 63 characters. */
function encodeName(name: string): Buffer {
	const labels = name.split(".").filter((label) => label !== "");
	const parts = labels.map((label) => {
		const bytes = Buffer.from(label, "latin1").subarray(0, 63);
		return Buffer.concat([Buffer.from([bytes.length]), bytes]);
	});
	return Buffer.concat([...parts, Buffer.from([0])]);
}

export function rcodeOf(message: Buffer): number {
	return message.readUInt16BE(2) & 0xf;
}

export function isTruncated(message: Buffer): boolean {
	return (message.readUInt16BE(2) & FLAG.truncated) !== 0;
}

/** Whether a message that came from a server answers this very query. */
export function answers(reply: Buffer, id: number, query: DnsQuery): boolean {
	if (reply.length < HEADER_BYTES || reply.readUInt16BE(0) !== id) return false;
	if ((reply.readUInt16BE(2) & FLAG.response) === 0) return false;
	// Servers that cannot read a query leave its question out.
	if (reply.readUInt16BE(4) === 0) return rcodeOf(reply) !== DNS_RCODE.noError;
	const question = readName(reply, HEADER_BYTES);
	if (question === undefined || question.end + 4 > reply.length) return false;
	return (
		question.name.toLowerCase() === query.name.toLowerCase() &&
		reply.readUInt16BE(question.end) === query.type &&
		reply.readUInt16BE(question.end + 2) === query.class
	);
}

/** Where the TTLs of a message are, the OPT pseudo record's left out, and for how long the message may be kept. */
export interface MessageTtls {
	readonly offsets: readonly number[];
	/** 0: not at all. */
	readonly seconds: number;
}

/** @returns undefined for a message that cannot be read to its end */
export function readTtls(message: Buffer): MessageTtls | undefined {
	const counts = [6, 8, 10].map((at) => message.readUInt16BE(at));
	const answerCount = counts[0] ?? 0;
	const total = counts.reduce((sum, count) => sum + count, 0);
	const offsets: number[] = [];
	let seconds = Number.POSITIVE_INFINITY;
	let negative: number | undefined;
	let at: number | undefined = HEADER_BYTES;
	for (let question = message.readUInt16BE(4); question > 0; question--) {
		at = skipName(message, at);
		if (at === undefined) return undefined;
		at += 4;
	}
	for (let index = 0; index < total; index++) {
		at = skipName(message, at);
		if (at === undefined || at + 10 > message.length) return undefined;
		const type = message.readUInt16BE(at);
		const end = at + 10 + message.readUInt16BE(at + 8);
		if (end > message.length) return undefined;
		if (type !== DNS_TYPE.OPT) {
			const ttl = message.readUInt32BE(at + 4);
			offsets.push(at + 4);
			seconds = Math.min(seconds, ttl);
			// The last field of a SOA record says how long "there is no such thing" holds (RFC 2308).
			if (type === DNS_TYPE.SOA && end >= at + 14) negative = Math.min(ttl, message.readUInt32BE(end - 4));
		}
		at = end;
	}
	const isNegative = answerCount === 0;
	return { offsets, seconds: isNegative ? (negative ?? 0) : Number.isFinite(seconds) ? seconds : 0 };
}

function skipName(message: Buffer, start: number): number | undefined {
	for (let at = start; ; ) {
		const length = message[at];
		if (length === undefined) return undefined;
		if (length === 0) return at + 1;
		if ((length & 0xc0) === 0xc0) return at + 2;
		if (length > 63) return undefined;
		at += 1 + length;
	}
}

/** The address that a reverse name stands for (`4.3.2.1.in-addr.arpa`, nibbles under `ip6.arpa`). */
export function reverseAddress(name: string): string | undefined {
	const lower = name.toLowerCase();
	const v4 = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(lower)?.[1];
	if (v4 !== undefined) return v4.slice(0, -1).split(".").reverse().map(Number).join(".");
	const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(lower)?.[1];
	return v6?.slice(0, -1).split(".").reverse().join("").match(/.{4}/g)?.join(":");
}

/** A server's reply for this client: its own ID and spelling of the question; cut to the question where it is too long. */
export function adaptReply(reply: Buffer, message: Buffer, query: DnsQuery, maxBytes: number): Buffer {
	const hasQuestion = reply.readUInt16BE(4) === 1;
	if (reply.length > maxBytes && hasQuestion) {
		const cut = Buffer.from(reply.subarray(0, query.questionEnd));
		cut.writeUInt16BE(cut.readUInt16BE(2) | FLAG.truncated, 2);
		cut.fill(0, 6, HEADER_BYTES);
		return withQuestion(cut, message, query);
	}
	return hasQuestion ? withQuestion(Buffer.from(reply), message, query) : withId(Buffer.from(reply), query.id);
}

function withQuestion(reply: Buffer, message: Buffer, query: DnsQuery): Buffer {
	message.copy(reply, HEADER_BYTES, HEADER_BYTES, query.questionEnd);
	return withId(reply, query.id);
}

export function withId(message: Buffer, id: number): Buffer {
	message.writeUInt16BE(id, 0);
	return message;
}
