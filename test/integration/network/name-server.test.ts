import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { type DnsAnswer, encodeReply, parseQuery, readTtls } from "../../../src/core/network/dns-message.ts";
import { NameTable } from "../../../src/core/network/name-table.ts";
import { inNetworkNamespace } from "../../../src/drivers/linux/namespaces.ts";
import { SandboxNameServer } from "../../../src/drivers/name-server/sandbox-name-server.ts";
import { NetworkFixture, type TestContainer } from "./network-fixture.ts";

/** Name servers of "the host", on loopback addresses nobody else has. */
const FIRST = "127.211.0.1";
const SECOND = "127.211.0.2";
const SERVER = "127.0.0.11";
const REPLY_TIMEOUT_MS = 6000;

let fixture: NetworkFixture;
let table: NameTable;
let server: SandboxNameServer;
let hostServers: string[];
const upstreams: Upstream[] = [];

beforeEach(async () => {
	fixture = new NetworkFixture();
	await fixture.start();
	table = new NameTable();
	hostServers = [FIRST];
	server = newServer();
});

afterEach(async () => {
	server.closeAll();
	for (const upstream of upstreams.splice(0)) upstream.stop();
	expect(await fixture.stop()).toEqual([]);
});

function newServer(): SandboxNameServer {
	return new SandboxNameServer({
		directory: table,
		hostServers: () => hostServers,
		clock: systemClock,
		logger: silentLogger,
	});
}

interface Upstream {
	readonly asked: string[];
	stop(): void;
}

/** A name server on port 53 of an address; it keeps silent where the answer is undefined. */
async function upstream(
	address: string,
	answer: (name: string) => DnsAnswer | undefined,
	namespaceFd?: number,
): Promise<Upstream> {
	const asked: string[] = [];
	const replyTo = (message: Buffer, maxBytes: number): Buffer | undefined => {
		const query = parseQuery(message);
		if (query === undefined || query === "malformed") return undefined;
		asked.push(query.name);
		const wanted = answer(query.name);
		return wanted === undefined ? undefined : encodeReply(message, query, wanted, maxBytes);
	};
	const open = () => {
		const udp = Bun.udpSocket({
			hostname: address,
			port: 53,
			socket: {
				data(socket, message, port, from) {
					const reply = replyTo(message, 512);
					if (reply !== undefined) socket.send(reply, port, from);
				},
			},
		});
		const tcp = Bun.listen({
			hostname: address,
			port: 53,
			socket: {
				data(socket, message) {
					const reply = replyTo(message.subarray(2), 65535);
					if (reply !== undefined) socket.write(framed(reply));
				},
			},
		});
		return { udp, tcp };
	};
	const { udp, tcp } = namespaceFd === undefined ? open() : inNetworkNamespace(namespaceFd, open);
	const socket = await udp;
	const made = {
		asked,
		stop() {
			socket.close();
			tcp.stop(true);
		},
	};
	upstreams.push(made);
	return made;
}

function framed(message: Buffer): Buffer {
	const length = Buffer.alloc(2);
	length.writeUInt16BE(message.length, 0);
	return Buffer.concat([length, message]);
}

function question(name: string, type: number, id = 77): Buffer {
	const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
	const header = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
	return Buffer.concat([header, Buffer.from([...labels, 0, 0, type, 0, 1])]);
}

async function askUdp(container: TestContainer, message: Buffer): Promise<Buffer> {
	const reply = Promise.withResolvers<Buffer>();
	const socket = await inNetworkNamespace(container.namespaceFd, () =>
		// Connected, as resolvers are: an answer from another address or port would not arrive.
		Bun.udpSocket({
			connect: { hostname: SERVER, port: 53 },
			socket: { data: (_socket, data) => reply.resolve(Buffer.from(data)) },
		}),
	);
	socket.send(message);
	const timer = setTimeout(() => reply.reject(new Error("no answer")), REPLY_TIMEOUT_MS);
	try {
		return await reply.promise;
	} finally {
		clearTimeout(timer);
		socket.close();
	}
}

async function askTcp(container: TestContainer, chunks: readonly Buffer[]): Promise<Buffer> {
	const reply = Promise.withResolvers<Buffer>();
	let received = Buffer.alloc(0);
	const socket = await inNetworkNamespace(container.namespaceFd, () =>
		Bun.connect({
			hostname: SERVER,
			port: 53,
			socket: {
				data(_socket, data) {
					received = Buffer.concat([received, data]);
					if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
						reply.resolve(received.subarray(2));
				},
				close: () => reply.reject(new Error("closed")),
			},
		}),
	);
	for (const chunk of chunks) {
		socket.write(chunk);
		await Bun.sleep(5);
	}
	try {
		return await reply.promise;
	} finally {
		socket.terminate();
	}
}

interface Decoded {
	readonly rcode: number;
	readonly truncated: boolean;
	readonly answers: string[];
}

/** Addresses, or whatever else, in hexadecimal. */
function decode(reply: Buffer): Decoded {
	const ttls = readTtls(reply);
	const answers = (ttls?.offsets ?? []).slice(0, reply.readUInt16BE(6)).map((offset) => {
		const data = reply.subarray(offset + 6, offset + 6 + reply.readUInt16BE(offset + 4));
		return data.length === 4 ? data.join(".") : data.toString("latin1");
	});
	const flags = reply.readUInt16BE(2);
	return { rcode: flags & 0xf, truncated: (flags & 0x200) !== 0, answers };
}

async function container(names: readonly string[], network = "front"): Promise<TestContainer> {
	const index = network === "front" ? 1 : 2;
	const bridge = networks.get(index) ?? (await fixture.addNetwork(index));
	networks.set(index, bridge);
	const made = await fixture.addContainer(bridge);
	table.add({
		endpointId: made.endpointId,
		containerId: made.id,
		networkId: bridge.id,
		networkName: network,
		names,
		address: made.address,
		address6: "",
		links: {},
	});
	return made;
}

const networks = new Map<number, Awaited<ReturnType<NetworkFixture["addNetwork"]>>>();
beforeEach(() => networks.clear());

const HOST = { upstream: { kind: "host" }, keepsSingleLabels: false } as const;
const found = (...addresses: string[]): DnsAnswer => ({ rcode: 0, ttlSeconds: 60, addresses });

describe("names of containers", () => {
	test("are answered over UDP and TCP, in turn where several share one, and end at once with the endpoint", async () => {
		const [a, b] = [await container(["a", "api"]), await container(["b", "api"])];
		await server.open(a.sandbox, HOST);
		expect(decode(await askUdp(a, question("b", 1)))).toEqual({ rcode: 0, truncated: false, answers: [b.address] });
		const firsts = new Set<string | undefined>();
		for (let round = 0; round < 4; round++) firsts.add(decode(await askUdp(a, question("API", 1))).answers[0]);
		expect([...firsts].sort()).toEqual([a.address, b.address].sort());
		const message = framed(question("b.front", 1));
		expect(decode(await askTcp(a, [message.subarray(0, 1), message.subarray(1, 9), message.subarray(9)]))).toEqual({
			rcode: 0,
			truncated: false,
			answers: [b.address],
		});
		table.remove(b.endpointId);
		expect(decode(await askUdp(a, question("api", 1))).answers).toEqual([a.address]);
	});

	test("have no other kinds of records, and addresses have names", async () => {
		const a = await container(["a"]);
		const asked = await upstream(FIRST, () => ({ rcode: 3, ttlSeconds: 0 }));
		await server.open(a.sandbox, HOST);
		for (const type of [28, 15, 16])
			expect(decode(await askUdp(a, question("a", type)))).toMatchObject({ rcode: 0, answers: [] });
		const reversed = `${a.address.split(".").reverse().join(".")}.in-addr.arpa`;
		expect(decode(await askUdp(a, question(reversed, 12))).answers).toEqual(["\x01a\x05front\0"]);
		expect(asked.asked).toEqual([]);
	});

	test("of another network are asked outside like any other name", async () => {
		const a = await container(["a"]);
		await container(["secret"], "back");
		const asked = await upstream(FIRST, () => ({ rcode: 3, ttlSeconds: 0 }));
		await server.open(a.sandbox, HOST);
		expect(decode(await askUdp(a, question("secret", 1)))).toMatchObject({ rcode: 3, answers: [] });
		expect(asked.asked).toEqual(["secret"]);
	});
});

describe("other names", () => {
	test("come from the host's servers and are remembered for all containers", async () => {
		const [a, b] = [await container(["a"]), await container(["b"])];
		const { asked } = await upstream(FIRST, () => found("192.0.2.1"));
		await server.open(a.sandbox, HOST);
		await server.open(b.sandbox, HOST);
		for (const from of [a, b, a])
			expect(decode(await askUdp(from, question("example.org", 1))).answers).toEqual(["192.0.2.1"]);
		expect(asked).toEqual(["example.org"]);
	});

	test("come from the next server when one is silent or fails", async () => {
		const a = await container(["a"]);
		hostServers = [FIRST, SECOND];
		await upstream(FIRST, (name) => (name === "fails" ? { rcode: 2, ttlSeconds: 0 } : undefined));
		await upstream(SECOND, () => found("192.0.2.2"));
		await server.open(a.sandbox, HOST);
		expect(decode(await askUdp(a, question("fails", 1))).answers).toEqual(["192.0.2.2"]);
		expect(decode(await askUdp(a, question("silent", 1))).answers).toEqual(["192.0.2.2"]);
	});

	test("fail where nobody can be asked: no server, none that answers, a network without a way out", async () => {
		const a = await container(["a"]);
		const failure = { rcode: 2, truncated: false, answers: [] };
		await server.open(a.sandbox, HOST);
		expect(decode(await askUdp(a, question("example.org", 1)))).toEqual(failure);
		hostServers = [];
		expect(decode(await askUdp(a, question("example.org", 1)))).toEqual(failure);
		hostServers = [FIRST];
		const { asked } = await upstream(FIRST, () => found("192.0.2.1"));
		await server.open(a.sandbox, { ...HOST, upstream: { kind: "none" } });
		expect(decode(await askUdp(a, question("example.org", 1)))).toEqual(failure);
		expect(asked).toEqual([]);
	});

	test("that do not fit into a datagram are had over TCP", async () => {
		const a = await container(["a"]);
		const addresses = Array.from({ length: 60 }, (_, index) => `192.0.2.${index}`);
		await upstream(FIRST, () => found(...addresses));
		await server.open(a.sandbox, HOST);
		expect(decode(await askUdp(a, question("many.example", 1))).truncated).toBe(true);
		const whole = await askTcp(a, [framed(question("many.example", 1))]);
		expect(decode(whole).answers).toEqual(addresses);
	});

	test("are asked of the user's own servers from inside the container's network", async () => {
		const [a, b] = [await container(["a"]), await container(["b"])];
		const { asked } = await upstream(b.address, () => found("192.0.2.9"), b.namespaceFd);
		const onlyInside = await upstream("127.211.0.9", () => found("192.0.2.8"));
		await server.open(a.sandbox, { ...HOST, upstream: { kind: "servers", addresses: [b.address] } });
		expect(decode(await askUdp(a, question("example.org", 1))).answers).toEqual(["192.0.2.9"]);
		expect(decode(await askTcp(a, [framed(question("tcp.example", 1))])).answers).toEqual(["192.0.2.9"]);
		expect(asked).toEqual(["example.org", "tcp.example"]);
		await server.open(a.sandbox, { ...HOST, upstream: { kind: "servers", addresses: ["127.211.0.9"] } });
		expect(decode(await askUdp(a, question("example.net", 1))).rcode).toBe(2);
		expect(onlyInside.asked).toEqual([]);
	});

	test("without a dot stay inside where the search list comes first", async () => {
		const a = await container(["a"]);
		const { asked } = await upstream(FIRST, () => found("192.0.2.1"));
		await server.open(a.sandbox, { ...HOST, keepsSingleLabels: true });
		expect(decode(await askUdp(a, question("intranet", 1)))).toMatchObject({ rcode: 0, answers: [] });
		expect(decode(await askUdp(a, question("intranet.example", 1))).answers).toEqual(["192.0.2.1"]);
		expect(asked).toEqual(["intranet.example"]);
	});
});

describe("the server's place", () => {
	test("leaves port 53 of every address to the container itself", async () => {
		const a = await container(["a"]);
		await server.open(a.sandbox, HOST);
		const own = await upstream("0.0.0.0", () => found("192.0.2.53"), a.namespaceFd);
		expect(decode(await askUdp(a, question("a", 1))).answers).toEqual([a.address]);
		expect(own.asked).toEqual([]);
	});

	test("is taken by the next daemon, and given up with the sandbox", async () => {
		const a = await container(["a"]);
		await server.open(a.sandbox, HOST);
		server.closeAll();
		server = newServer();
		await server.open(a.sandbox, HOST);
		await server.open(a.sandbox, HOST);
		expect(decode(await askUdp(a, question("a", 1))).answers).toEqual([a.address]);
		server.close(a.id);
		server.close(a.id);
	});

	test("is safe from clients that speak no DNS, flood it or do not read", async () => {
		const a = await container(["a"]);
		await server.open(a.sandbox, HOST);
		const garbage = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
		expect(decode(await askUdp(a, garbage)).rcode).toBe(1);
		expect(decode(await askTcp(a, [framed(garbage)])).rcode).toBe(1);
		let closed = 0;
		const sockets = await Promise.all(
			Array.from({ length: 80 }, () =>
				inNetworkNamespace(a.namespaceFd, () =>
					Bun.connect({
						hostname: SERVER,
						port: 53,
						socket: {
							data() {},
							close() {
								closed++;
							},
						},
					}),
				),
			),
		);
		for (let round = 0; round < 100 && closed < 16; round++) await Bun.sleep(10);
		expect(closed).toBe(16);
		for (const socket of sockets) socket.terminate();
		for (let round = 0; round < 100 && closed < 80; round++) await Bun.sleep(10);
		expect(decode(await askTcp(a, [framed(question("a", 1))])).answers).toEqual([a.address]);
	});
});
