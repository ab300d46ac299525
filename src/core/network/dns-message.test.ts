import { describe, expect, test } from "bun:test";
import {
	adaptReply,
	answers,
	type DnsQuery,
	encodeFormatError,
	encodeReply,
	isTruncated,
	parseQuery,
	rcodeOf,
	readTtls,
	reverseAddress,
} from "./dns-message.ts";

/** A query as a stub resolver sends it. */
function query(name: string, type: number, options: { readonly edns?: number; readonly id?: number } = {}): Buffer {
	const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
	const header = Buffer.alloc(12);
	header.writeUInt16BE(options.id ?? 0x1234, 0);
	header.writeUInt16BE(0x0100, 2);
	header.writeUInt16BE(1, 4);
	header.writeUInt16BE(options.edns === undefined ? 0 : 1, 10);
	const opt = Buffer.from([0, 0, 41, (options.edns ?? 0) >> 8, (options.edns ?? 0) & 0xff, 0, 0, 0x80, 0, 0, 0]);
	return Buffer.concat([
		header,
		Buffer.from([...labels, 0, 0, type, 0, 1]),
		...(options.edns === undefined ? [] : [opt]),
	]);
}

function withWord(message: Buffer, offset: number, value: number): Buffer {
	message.writeUInt16BE(value, offset);
	return message;
}

function parsed(message: Buffer): DnsQuery {
	const result = parseQuery(message);
	if (result === undefined || result === "malformed") throw new Error("the query was not understood");
	return result;
}

describe("parseQuery()", () => {
	test("reads the question and what the client can take", () => {
		const message = query("Web.Backend", 28, { edns: 4096 });
		expect(parsed(message)).toEqual({
			id: 0x1234,
			name: "Web.Backend",
			type: 28,
			class: 1,
			questionEnd: 29,
			recursionDesired: true,
			checkingDisabled: false,
			edns: { udpBytes: 4096, dnssecOk: true },
		});
	});

	test("takes a client that claims less than every client takes for one that takes that much", () => {
		expect(parsed(query("a", 1, { edns: 100 })).edns?.udpBytes).toBe(512);
	});

	test("does not answer answers, nor what is too short for a header", () => {
		const reply = query("a", 1);
		reply.writeUInt16BE(0x8100, 2);
		expect(parseQuery(reply)).toBeUndefined();
		expect(parseQuery(Buffer.alloc(11))).toBeUndefined();
	});

	const malformed: readonly (readonly [string, (message: Buffer) => Buffer])[] = [
		["a name that goes on behind the end", (message) => message.subarray(0, 14)],
		["a question that ends with its name", (message) => message.subarray(0, 16)],
		[
			"a pointer in a question",
			(message) => Buffer.concat([message.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
		],
		["two questions", (message) => withWord(message, 4, 2)],
		["an update", (message) => withWord(message, 2, 5 << 11)],
		["a name of more than 255 bytes", () => query(Array.from({ length: 5 }, () => "x".repeat(60)).join("."), 1)],
	];
	for (const [what, change] of malformed)
		test(`refuses ${what}`, () => {
			const message = change(query("web", 1));
			expect(parseQuery(message)).toBe("malformed");
			expect(rcodeOf(encodeFormatError(message))).toBe(1);
		});

	test("survives any bytes", () => {
		let state = 1;
		const random = () => {
			state = (state * 1103515245 + 12345) & 0x7fffffff;
			return state % 256;
		};
		for (let round = 0; round < 5000; round++) {
			const message = Buffer.from(Array.from({ length: random() % 64 }, random));
			expect(() => parseQuery(message)).not.toThrow();
			if (message.length >= 12) expect(() => readTtls(message)).not.toThrow();
		}
	});
});

describe("encodeReply()", () => {
	test("answers with addresses of the question's type and repeats the question", () => {
		const message = query("web", 1);
		const reply = encodeReply(message, parsed(message), { rcode: 0, ttlSeconds: 1, addresses: ["10.0.0.2"] }, 512);
		expect(reply.toString("hex")).toBe(
			"123481800001000100000000" + "03776562000001" + "0001" + "c00c00010001" + "00000001" + "0004" + "0a000002",
		);
	});

	test("answers EDNS with EDNS", () => {
		const message = query("web", 1, { edns: 1400 });
		const reply = encodeReply(message, parsed(message), { rcode: 0, ttlSeconds: 1 }, 1400);
		expect(reply.readUInt16BE(10)).toBe(1);
		expect(reply.subarray(-11).toString("hex")).toBe("00002904d0000000000000");
	});

	test("leaves out what the client cannot take, and says so", () => {
		const message = query("web", 28);
		const addresses = Array.from({ length: 40 }, (_, index) => `fd00::${index + 1}`);
		const reply = encodeReply(message, parsed(message), { rcode: 0, ttlSeconds: 1, addresses }, 512);
		expect(reply.length).toBeLessThanOrEqual(512);
		expect(isTruncated(reply)).toBe(true);
		expect(reply.readUInt16BE(6)).toBe(17);
	});

	test("cuts a label of a name that is longer than DNS has them", () => {
		const message = query("2.0.0.10.in-addr.arpa", 12);
		const reply = encodeReply(
			message,
			parsed(message),
			{ rcode: 0, ttlSeconds: 1, pointer: `${"x".repeat(80)}.net` },
			512,
		);
		expect(reply.includes(Buffer.from(`${"x".repeat(63)}\x03net\0`, "latin1"))).toBe(true);
	});
});

describe("reverseAddress()", () => {
	test("reads both families", () => {
		expect(reverseAddress("4.3.2.1.IN-ADDR.arpa")).toBe("1.2.3.4");
		expect(reverseAddress(`${"1.0.0.0.".repeat(8)}ip6.arpa`)).toBe("0001:0001:0001:0001:0001:0001:0001:0001");
	});

	for (const name of ["in-addr.arpa", "3.2.1.in-addr.arpa", "1.2.3.4", "a.3.2.1.in-addr.arpa", "1.ip6.arpa"])
		test(`finds no address in ${name}`, () => expect(reverseAddress(name)).toBeUndefined());
});

describe("answers()", () => {
	const message = query("web", 1);
	const reply = encodeReply(message, parsed(message), { rcode: 0, ttlSeconds: 1 }, 512);

	test("knows the reply to a query, however its name is spelt", () => {
		expect(answers(reply, 0x1234, parsed(query("WEB", 1)))).toBe(true);
	});

	test("refuses another ID, another name, another type, and a question", () => {
		expect(answers(reply, 0x1235, parsed(message))).toBe(false);
		expect(answers(reply, 0x1234, parsed(query("wab", 1)))).toBe(false);
		expect(answers(reply, 0x1234, parsed(query("web", 28)))).toBe(false);
		expect(answers(message, 0x1234, parsed(message))).toBe(false);
	});
});

describe("adaptReply()", () => {
	test("gives the client its own ID and spelling", () => {
		const upstream = query("web", 1, { id: 7 });
		const reply = encodeReply(upstream, parsed(upstream), { rcode: 0, ttlSeconds: 9, addresses: ["10.0.0.2"] }, 512);
		const message = query("WeB", 1);
		const adapted = adaptReply(reply, message, parsed(message), 512);
		expect(adapted.readUInt16BE(0)).toBe(0x1234);
		expect(adapted.subarray(12, 17).toString("latin1")).toBe("\x03WeB\0");
		expect(adapted.subarray(-4)).toEqual(Buffer.from([10, 0, 0, 2]));
	});

	test("cuts what is too long to the question", () => {
		const message = query("web", 28);
		const addresses = Array.from({ length: 40 }, (_, index) => `fd00::${index + 1}`);
		const long = encodeReply(message, parsed(message), { rcode: 0, ttlSeconds: 1, addresses }, 4096);
		const adapted = adaptReply(long, message, parsed(message), 512);
		expect([adapted.length, isTruncated(adapted), adapted.readUInt16BE(6)]).toEqual([21, true, 0]);
	});
});
