import { expect, test } from "bun:test";
import { ForbiddenError, SystemError } from "../../base/errors.ts";
import type { NetworkRecord } from "../../core/network/network-record.ts";
import { AddressBook } from "./address-book.ts";

const ANY = { address: "", address6: "" };

function network(change: Partial<NonNullable<NetworkRecord["bridge"]>> = {}, range?: string): NetworkRecord {
	const bridge = {
		id: "n",
		bridge: "lab0",
		subnet: "10.0.0.0/29",
		gateway: "10.0.0.1",
		mtu: 1500,
		interContainer: true,
		masquerade: true,
		internal: false,
		...change,
	};
	return {
		id: "n",
		name: "lab",
		createdAt: 0,
		driver: "bridge",
		enableIpv4: true,
		enableIpv6: bridge.subnet6 !== undefined,
		internal: false,
		attachable: false,
		labels: {},
		options: {},
		ipam: [{ subnet: "10.0.0.0/29", auxiliary: { router: "10.0.0.2" }, ...(range === undefined ? {} : { range }) }],
		bridge,
	};
}

test("every address is given out once, none of them the gateway's or an auxiliary one, and the end is told by name", () => {
	const book = new AddressBook();
	const given = [1, 2, 3, 4].map((index) => book.take(network(), `e${index}`, ANY).address);
	expect(given).toEqual(["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
	expect(() => book.take(network(), "e5", ANY)).toThrow(
		new SystemError("no available IPv4 addresses on this network's address pools: lab (n)"),
	);
});

test("an address that is asked for may lie outside the range, but not be taken", () => {
	const book = new AddressBook();
	const lab = network({}, "10.0.0.4/30");
	expect(book.take(lab, "a", { ...ANY, address: "10.0.0.3" }).address).toBe("10.0.0.3");
	expect(book.take(lab, "b", ANY).address).toBe("10.0.0.4");
	for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.0", "10.0.0.7"])
		expect(() => book.take(lab, "c", { ...ANY, address })).toThrow(new ForbiddenError("Address already in use"));
});

test("a release gives back what the endpoint has, and never what somebody else has got since", () => {
	const book = new AddressBook();
	const { address } = book.take(network(), "a", { ...ANY, address: "10.0.0.5" });
	book.release("n", "a", [address]);
	book.take(network(), "b", { ...ANY, address });
	book.release("n", "a", [address]);
	expect(() => book.take(network(), "c", { ...ANY, address })).toThrow("Address already in use");
});

test("an IPv4 address is given back when there is no IPv6 address to go with it", () => {
	const book = new AddressBook();
	const lab = network({ subnet6: "fd00::/64", gateway6: "fd00::1" });
	expect(() => book.take(lab, "a", { address: "10.0.0.5", address6: "fd00::1" })).toThrow("Address already in use");
	expect(book.take(lab, "b", { address: "10.0.0.5", address6: "fd00::0005" })).toEqual({
		address: "10.0.0.5",
		prefixLength: 29,
		gateway: "10.0.0.1",
		address6: "fd00::5",
		prefixLength6: 64,
		gateway6: "fd00::1",
	});
});

test("addresses of records are taken at start; those of a subnet that is no more are passed over", () => {
	const book = new AddressBook();
	book.adopt(network(), "a", ["10.0.0.3", "192.168.1.1", ""]);
	expect(book.take(network(), "b", ANY).address).toBe("10.0.0.4");
	book.release("n", "a", ["10.0.0.3"]);
	expect(book.take(network(), "c", { ...ANY, address: "10.0.0.3" }).address).toBe("10.0.0.3");
});
