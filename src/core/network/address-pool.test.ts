import { expect, test } from "bun:test";
import { AddressPool } from "./address-pool.ts";
import { chooseSubnet, DEFAULT_SUBNET_POOLS } from "./subnet-choice.ts";

test("addresses go up, skip network, gateway and broadcast, and come round to what was freed", () => {
	const pool = new AddressPool("10.0.0.0/29", { reserved: ["10.0.0.1"] });
	const all = Array.from({ length: 5 }, () => pool.allocate());
	expect(all).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
	expect(() => pool.allocate()).toThrow("no available IPv4 addresses");
	pool.release("10.0.0.3");
	expect(pool.allocate()).toBe("10.0.0.3");
});

test("a freed address is not given out again at once", () => {
	const pool = new AddressPool("10.0.0.0/24", { reserved: ["10.0.0.1"] });
	const first = pool.allocate();
	pool.release(first);
	expect(pool.allocate()).not.toBe(first);
});

test("a requested address is taken once and must lie in the subnet", () => {
	const pool = new AddressPool("10.0.0.0/24", { reserved: ["10.0.0.1"] });
	pool.reserve("10.0.0.2");
	expect(() => pool.reserve("10.0.0.2")).toThrow("Address already in use");
	expect(() => pool.reserve("10.0.0.1")).toThrow("Address already in use");
	for (const outside of ["10.0.1.2", "10.0.0.0", "10.0.0.255", "::1"])
		expect(() => pool.reserve(outside)).toThrow(`no configured subnet contains IP address ${outside}`);
	expect(pool.allocate()).toBe("10.0.0.3");
});

test("a range narrows what is given out, not what may be asked for", () => {
	const pool = new AddressPool("10.0.0.0/24", { range: "10.0.0.128/30" });
	const all = Array.from({ length: 4 }, () => pool.allocate());
	expect(all).toEqual(["10.0.0.128", "10.0.0.129", "10.0.0.130", "10.0.0.131"]);
	expect(() => pool.allocate()).toThrow();
	pool.reserve("10.0.0.9");
	expect(() => new AddressPool("10.0.0.0/24", { range: "10.0.1.0/28" })).toThrow("not within subnet");
});

test("small and huge subnets work", () => {
	expect(new AddressPool("10.0.0.4/31").allocate()).toBe("10.0.0.4");
	expect(new AddressPool("fd00::/64", { reserved: ["fd00::1"] }).allocate()).toBe("fd00::2");
	expect(new AddressPool("10.0.0.0/24").firstUsable()).toBe("10.0.0.1");
});

test("chooseSubnet() passes by what the host's routes reach, but not for the default route", () => {
	expect(chooseSubnet(DEFAULT_SUBNET_POOLS, ["0.0.0.0/0", "::/0"])).toBe("172.17.0.0/16");
	expect(chooseSubnet(DEFAULT_SUBNET_POOLS, ["172.17.3.0/24", "172.18.0.0/15"])).toBe("172.20.0.0/16");
	expect(chooseSubnet(DEFAULT_SUBNET_POOLS, ["172.16.0.0/12"])).toBe("192.168.0.0/20");
	expect(() => chooseSubnet(DEFAULT_SUBNET_POOLS, ["172.0.0.0/8", "192.168.0.0/16"])).toThrow(
		"all predefined address pools have been fully subnetted",
	);
});
