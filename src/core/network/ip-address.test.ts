import { describe, expect, test } from "bun:test";
import {
	contains,
	formatIp,
	formatSubnet,
	ipFromBytes,
	ipToBytes,
	overlaps,
	parseCidr,
	parseIp,
	parseSubnet,
	tryParseIp,
} from "./ip-address.ts";

describe("addresses read and written again", () => {
	for (const [text, want] of [
		["172.17.0.1", "172.17.0.1"],
		["0.0.0.0", "0.0.0.0"],
		["255.255.255.255", "255.255.255.255"],
		["::", "::"],
		["::1", "::1"],
		["1::", "1::"],
		["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
		["1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0"],
		["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
		["::ffff:1.2.3.4", "::ffff:102:304"],
		["fe80:0:0:0:0:0:0:1", "fe80::1"],
	] as const)
		test(text, () => {
			expect(formatIp(parseIp(text))).toBe(want);
			expect(formatIp(ipFromBytes(ipToBytes(parseIp(text))))).toBe(want);
		});
});

describe("what is no address is refused", () => {
	for (const text of [
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.x",
		" 1.2.3.4",
		":",
		":::",
		"1::2::3",
		"12345::",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"::1.2.3",
		"fe80::1%eth0",
		"[::1]",
		"1:2:3:4:5:6:7::8:9",
		"g::",
	])
		test(`"${text}"`, () => expect(tryParseIp(text)).toBeUndefined());
});

test("a CIDR address keeps the address and finds its subnet", () => {
	const { address, subnet } = parseCidr("172.17.42.1/16");
	expect([formatIp(address), formatSubnet(subnet)]).toEqual(["172.17.42.1", "172.17.0.0/16"]);
	expect(formatSubnet(parseSubnet("fd00:1:2:3:4::9/64"))).toBe("fd00:1:2:3::/64");
	for (const bad of ["172.17.0.0", "172.17.0.0/33", "172.17.0.0/", "x/16", "1.2.3.4/16/1", "::/129"])
		expect(() => parseCidr(bad)).toThrow(`invalid CIDR address: ${bad}`);
});

test("subnets contain and overlap within their family only", () => {
	const net = parseSubnet("10.1.0.0/16");
	expect(contains(net, parseIp("10.1.255.255"))).toBe(true);
	expect(contains(net, parseIp("10.2.0.0"))).toBe(false);
	expect(contains(net, parseIp("::a01:1"))).toBe(false);
	expect(overlaps(net, parseSubnet("10.0.0.0/8"))).toBe(true);
	expect(overlaps(net, parseSubnet("10.1.2.0/24"))).toBe(true);
	expect(overlaps(net, parseSubnet("10.2.0.0/16"))).toBe(false);
	expect(overlaps(parseSubnet("0.0.0.0/0"), parseSubnet("::/0"))).toBe(false);
});
