import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { ConflictError, NotImplementedError } from "../../../src/base/errors.ts";
import type { PortRequest, PortReservation } from "../../../src/core/network/driver.ts";
import { closeDescriptor } from "../../../src/drivers/linux/file-descriptors.ts";
import { bindSocket } from "../../../src/drivers/linux/sockets.ts";
import { PortReserver } from "../../../src/drivers/network-bridge/port-reserver.ts";

let reserver: PortReserver;
let held: PortReservation[];
let published: { hostAddress: string; hostPort: number }[];
let before: number;

const openDescriptors = () => readdirSync("/proc/self/fd").length;

beforeEach(() => {
	published = [];
	held = [];
	reserver = new PortReserver(() => published.map((port) => ({ protocol: "tcp", containerPort: 1, ...port })));
	before = openDescriptors();
});

afterEach(() => {
	for (const reservation of held) reservation.release();
	expect(openDescriptors()).toBe(before);
});

function request(start: number, end = start, options: Partial<PortRequest> = {}): PortRequest {
	return {
		protocol: "tcp",
		containerPort: 80,
		hostAddress: "0.0.0.0",
		hostPortStart: start,
		hostPortEnd: end,
		...options,
	};
}

function reserve(...requests: PortRequest[]): PortReservation {
	const reservation = reserver.reserve(requests);
	held.push(reservation);
	return reservation;
}

const portsOf = (reservation: PortReservation) => reservation.mappings.map((mapping) => mapping.hostPort);

describe("a port that is taken", () => {
	for (const protocol of ["tcp", "udp"] as const)
		test(`by another program is a conflict that names it, ${protocol}`, () => {
			const other = bindSocket(protocol, "127.0.0.1", 18521);
			try {
				const reserve = () => reserver.reserve([request(18520), request(18521, 18521, { protocol })]);
				expect(reserve).toThrow(`failed to bind host port 0.0.0.0:18521/${protocol}: address already in use`);
				expect(reserve).toThrow(ConflictError);
				// All or none: the first one is free again.
				closeDescriptor(bindSocket("tcp", "0.0.0.0", 18520).fd);
			} finally {
				closeDescriptor(other.fd);
			}
		});

	test("by one of our containers reads as clients expect", () => {
		published.push({ hostAddress: "127.0.0.1", hostPort: 18522 });
		const other = bindSocket("tcp", "127.0.0.1", 18522);
		try {
			expect(() => reserver.reserve([request(18522)])).toThrow(
				"Bind for 0.0.0.0:18522 failed: port is already allocated",
			);
		} finally {
			closeDescriptor(other.fd);
		}
		reserve(request(18522));
		expect(() => reserver.reserve([request(18522)])).toThrow("port is already allocated");
	});

	test("is passed by in a range, until nothing of it is left", () => {
		expect(portsOf(reserve(request(18530, 18532)))).toEqual([18530]);
		expect(portsOf(reserve(request(18530, 18532), request(18530, 18532, { containerPort: 81 })))).toEqual([
			18531, 18532,
		]);
		expect(() => reserver.reserve([request(18530, 18532)])).toThrow(
			"failed to bind host port 0.0.0.0:18530-18532/tcp: address already in use",
		);
	});
});

test("an address the host does not have is an error of its own", () => {
	expect(() => reserver.reserve([request(18540, 18540, { hostAddress: "203.0.113.9" })])).toThrow(
		"failed to bind host port 203.0.113.9:18540/tcp: cannot assign requested address",
	);
});

test("any port means the next of the kernel's range, the same for IPv4 and IPv6", () => {
	const both = [request(0), request(0, 0, { hostAddress: "::" })];
	const [v4, v6] = reserve(...both).mappings;
	expect(v4?.hostPort).toBe(v6?.hostPort ?? -1);
	expect(v4?.hostPort).toBeGreaterThanOrEqual(32768);
	const next = reserve(...both).mappings[0];
	expect(next?.hostPort).not.toBe(v4?.hostPort ?? -1);
});

test("a free port is free on every address it is wanted on", () => {
	const first = portsOf(reserve(request(0)))[0] ?? 0;
	const blocker = bindSocket("tcp", "::", first + 1);
	try {
		const [port] = portsOf(reserve(request(0), request(0, 0, { hostAddress: "::" })));
		expect(port).not.toBe(first + 1);
	} finally {
		closeDescriptor(blocker.fd);
	}
});

test("relays carry the descriptors that hold the ports, and release closes them once", () => {
	const reservation = reserve(
		request(18550),
		request(18550, 18550, { hostAddress: "::" }),
		request(18551, 18551, { protocol: "udp" }),
	);
	const relays = reservation.relays("172.17.0.2");
	expect(
		relays.map(({ protocol, containerAddress, containerPort }) => [protocol, containerAddress, containerPort]),
	).toEqual([
		["tcp", "172.17.0.2", 80],
		["tcp", "172.17.0.2", 80],
		["udp", "172.17.0.2", 80],
	]);
	reservation.release();
	const other = bindSocket("tcp", "0.0.0.0", 18552);
	reservation.release();
	expect(() => closeDescriptor(bindSocket("tcp", "0.0.0.0", 18552).fd)).toThrow("address already in use");
	closeDescriptor(other.fd);
});

test("SCTP is refused by name", () => {
	expect(() => reserver.reserve([request(18560, 18560, { protocol: "sctp" })])).toThrow(NotImplementedError);
});
