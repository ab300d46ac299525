import { expect, test } from "bun:test";
import { DnsCache } from "./dns-cache.ts";
import { type DnsQuery, encodeReply } from "./dns-message.ts";

const QUESTION = Buffer.concat([Buffer.alloc(12), Buffer.from("\x03web\0\0\x01\0\x01", "latin1")]);
QUESTION.writeUInt16BE(1, 4);
const QUERY: DnsQuery = {
	id: 0,
	name: "web",
	type: 1,
	class: 1,
	questionEnd: QUESTION.length,
	recursionDesired: true,
	checkingDisabled: false,
};
const reply = (ttlSeconds: number, rcode = 0) =>
	encodeReply(QUESTION, QUERY, { rcode, ttlSeconds, addresses: ["10.0.0.2"] }, 512);
const ttlOf = (message: Buffer | undefined) => message?.readUInt32BE(message.length - 10);

test("an answer is kept for as long as its TTL says, and the TTL counts down", () => {
	const cache = new DnsCache();
	cache.put(QUERY, reply(10), 0);
	expect(ttlOf(cache.get({ ...QUERY, name: "WEB" }, 3_999))).toBe(7);
	expect(ttlOf(cache.get(QUERY, 9_999))).toBe(1);
	expect(cache.get(QUERY, 10_000)).toBeUndefined();
});

test("a cached answer is not changed by who got it", () => {
	const cache = new DnsCache();
	cache.put(QUERY, reply(10), 0);
	cache.get(QUERY, 0)?.fill(0);
	expect(ttlOf(cache.get(QUERY, 0))).toBe(10);
});

test("failures, truncated answers, denials without a term and answers for the moment are not kept", () => {
	const cache = new DnsCache();
	const truncated = reply(10);
	truncated.writeUInt16BE(truncated.readUInt16BE(2) | 0x0200, 2);
	const denial = encodeReply(QUESTION, QUERY, { rcode: 3, ttlSeconds: 0 }, 512);
	for (const message of [reply(10, 2), truncated, denial, reply(0)]) {
		cache.put(QUERY, message, 0);
		expect(cache.get(QUERY, 0)).toBeUndefined();
	}
});

test("a denial is kept for as long as its SOA record says", () => {
	const soa = Buffer.from(
		"\xc0\x0c\0\x06\0\x01\0\0\0\x3c\0\x16\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x05",
		"latin1",
	);
	const denial = Buffer.concat([encodeReply(QUESTION, QUERY, { rcode: 3, ttlSeconds: 0 }, 512), soa]);
	denial.writeUInt16BE(1, 8);
	const cache = new DnsCache();
	cache.put(QUERY, denial, 0);
	expect(cache.get(QUERY, 4_999)).toBeDefined();
	expect(cache.get(QUERY, 5_000)).toBeUndefined();
});

test("clients with EDNS and without do not share answers", () => {
	const cache = new DnsCache();
	cache.put({ ...QUERY, edns: { udpBytes: 1232, dnssecOk: false } }, reply(10), 0);
	expect(cache.get(QUERY, 0)).toBeUndefined();
});

test("the cache does not grow without bound, and what is used stays", () => {
	const cache = new DnsCache();
	for (let index = 0; index < 2500; index++) {
		cache.put({ ...QUERY, name: `n${index}` }, reply(1000), 0);
		cache.get({ ...QUERY, name: "n0" }, 0);
	}
	expect(cache.get({ ...QUERY, name: "n0" }, 0)).toBeDefined();
	expect(cache.get({ ...QUERY, name: "n1" }, 0)).toBeUndefined();
	expect(cache.get({ ...QUERY, name: "n2499" }, 0)).toBeDefined();
});
