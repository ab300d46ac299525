import { describe, expect, test } from "bun:test";
import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { EngineError, errorKind } from "../../base/errors.ts";
import { checkNetworkName, type NetworkCreationInput, planNetwork } from "./network-creation.ts";
import type { NetworkRecord } from "./network-record.ts";
import { uniqueLocalPool } from "./subnet-choice.ts";

const ID = "0123456789abcdef".repeat(4);

function plan(request: Partial<NetworkCreateRequest>, change: Partial<NetworkCreationInput> = {}): NetworkRecord {
	return planNetwork({
		id: ID,
		createdAt: 1,
		request: { Name: "lab", ...request },
		existing: [],
		hostSubnets: [],
		pools: [{ base: "172.18.0.0/15", prefixLength: 16 }],
		pool6: [uniqueLocalPool("a1b2c3d4e5ff")],
		defaultMtu: 1500,
		...change,
	});
}

function refusal(request: Partial<NetworkCreateRequest>, change: Partial<NetworkCreationInput> = {}): string {
	try {
		plan(request, change);
	} catch (error) {
		if (error instanceof EngineError) return `${errorKind(error)}: ${error.message}`;
		throw error;
	}
	return "accepted";
}

describe("planNetwork() without wishes", () => {
	test("takes the first free subnet, its first address for the gateway, and a bridge called after the network's ID", () => {
		const record = plan({}, { hostSubnets: ["172.18.3.0/24"] });
		expect(record.ipam).toEqual([{ subnet: "172.19.0.0/16", gateway: "172.19.0.1" }]);
		expect(record.bridge).toEqual({
			id: ID,
			bridge: "br-0123456789ab",
			subnet: "172.19.0.0/16",
			gateway: "172.19.0.1",
			mtu: 1500,
			interContainer: true,
			masquerade: true,
			internal: false,
		});
	});

	test("has the daemon's options for its driver, unless it says otherwise", () => {
		const MTU = "com.docker.network.driver.mtu";
		const defaultOptions = { bridge: { [MTU]: "1400", "com.docker.network.enable_ipv6": "true" }, macvlan: { x: "y" } };
		const own = plan({ Options: { [MTU]: "1300" }, EnableIPv6: false }, { defaultOptions });
		expect([own.options, own.enableIpv6, own.bridge?.mtu]).toEqual([{ [MTU]: "1300" }, false, 1300]);
		const bare = plan({}, { defaultOptions });
		expect([bare.options, bare.enableIpv6, bare.bridge?.mtu]).toEqual([defaultOptions.bridge, true, 1400]);
		const source = plan({ ConfigOnly: true, Options: { [MTU]: "1350" } });
		const made = plan({ Name: "b", ConfigFrom: { Network: "lab" } }, { defaultOptions, existing: [source] });
		expect(made.options).toEqual({ [MTU]: "1350" });
	});

	test("never takes a subnet twice, and says when there is none left", () => {
		const first = plan({});
		const second = plan({ Name: "b" }, { id: `b${ID.slice(1)}`, existing: [first] });
		expect(second.bridge?.subnet).toBe("172.19.0.0/16");
		expect(refusal({ Name: "c" }, { id: `c${ID.slice(1)}`, existing: [first, second] })).toBe(
			"unavailable: all predefined address pools have been fully subnetted",
		);
	});

	test("cuts IPv6 subnets out of a pool of the machine's own", () => {
		const record = plan({ EnableIPv6: true, EnableIPv4: false });
		expect(record.bridge).toMatchObject({ subnet6: "fda1:b2c3:d4e5::/64", gateway6: "fda1:b2c3:d4e5::1" });
		expect(record.bridge?.subnet).toBeUndefined();
		expect(record.userSubnets).toEqual({ v4: false, v6: false });
	});
});

describe("planNetwork() with subnets", () => {
	test("keeps what was asked for as it was asked, and takes a gateway from the range", () => {
		const Config = [{ Subnet: "10.7.0.0/24", IPRange: "10.7.0.128/25", AuxiliaryAddresses: { x: "10.7.0.128" } }];
		const record = plan({ IPAM: { Driver: "default", Options: { a: "b" }, Config } });
		expect(record.ipam).toEqual([{ subnet: "10.7.0.0/24", range: "10.7.0.128/25", auxiliary: { x: "10.7.0.128" } }]);
		expect(record.bridge?.gateway).toBe("10.7.0.129");
		expect(record.ipamOptions).toEqual({ a: "b" });
	});

	test("shows a subnet of a family that is off, and does not use it", () => {
		const record = plan({ IPAM: { Config: [{ Subnet: "fd00:1::/64" }] } });
		expect(record.ipam.map(({ subnet }) => subnet)).toEqual(["fd00:1::/64", "172.18.0.0/16"]);
		expect(record.bridge?.subnet6).toBeUndefined();
	});

	const config = (Subnet: string, more: object = {}) => ({ IPAM: { Config: [{ Subnet, ...more }] } });
	const cases: readonly (readonly [string, Partial<NetworkCreateRequest>, string])[] = [
		["a prefix that is too long", config("10.7.0.0/33"), "invalid subnet 10.7.0.0/33: invalid CIDR block notation"],
		["host bits", config("10.7.0.5/24"), "invalid subnet 10.7.0.5/24: it should be 10.7.0.0/24"],
		["no subnet", { IPAM: { Config: [{ Gateway: "10.7.0.1" }] } }, "invalid subnet : invalid CIDR block notation"],
		[
			"a gateway elsewhere",
			config("10.7.0.0/24", { Gateway: "10.8.0.1" }),
			"invalid gateway 10.8.0.1: parent subnet 10.7.0.0/24 doesn't contain this address",
		],
		[
			"two faults",
			config("10.7.0.0/24", { Gateway: "x", IPRange: "10.8.0.0/25" }),
			"* invalid ip-range 10.8.0.0/25: parent subnet 10.7.0.0/24 doesn't contain ip-range\n* invalid gateway x: invalid address",
		],
	];
	for (const [name, request, faults] of cases)
		test(`refuses ${name}`, () => {
			expect(refusal(request)).toBe(`invalid-parameter: invalid network config:\n${faults}`);
		});

	test("refuses subnets that overlap with another network's, and two of one family", () => {
		const existing = [plan(config("10.7.0.0/16"))];
		expect(refusal({ Name: "b", ...config("10.7.9.0/24") }, { id: `b${ID.slice(1)}`, existing })).toBe(
			"forbidden: invalid pool request: Pool overlaps with other one on this address space",
		);
		expect(refusal({ IPAM: { Config: [{ Subnet: "10.7.0.0/24" }, { Subnet: "10.8.0.0/24" }] } })).toBe(
			"forbidden: bridge driver doesn't support multiple subnets",
		);
	});

	test("refuses a gateway that nobody can have, or that somebody else has", () => {
		expect(refusal(config("10.7.0.0/24", { Gateway: "10.7.0.0" }))).toBe(
			"system: failed to allocate gateway (10.7.0.0): Address already in use",
		);
		const taken = { Gateway: "10.7.0.1", AuxiliaryAddresses: { a: "10.7.0.1" } };
		expect(refusal(config("10.7.0.0/24", taken))).toBe(
			"system: failed to allocate secondary ip address (a:10.7.0.1): Address already in use",
		);
	});
});

describe("planNetwork() with options", () => {
	test("takes them over", () => {
		const record = plan({
			Internal: true,
			Options: {
				"com.docker.network.bridge.name": "lab0",
				"com.docker.network.bridge.enable_icc": "false",
				"com.docker.network.bridge.enable_ip_masquerade": "0",
				"com.docker.network.bridge.gateway_mode_ipv4": "isolated",
				"com.docker.network.driver.mtu": "1400",
				"org.example.unknown": "kept",
			},
		});
		expect(record.bridge).toEqual({
			id: ID,
			bridge: "lab0",
			subnet: "172.18.0.0/16",
			gatewayMode: "isolated",
			mtu: 1400,
			interContainer: false,
			masquerade: false,
			internal: true,
		});
		expect(record.ipam).toEqual([{ subnet: "172.18.0.0/16" }]);
		expect(record.options["org.example.unknown"]).toBe("kept");
	});

	const option = (name: string, value: string) => ({ Options: { [`com.docker.network.${name}`]: value } });
	const cases: readonly (readonly [Partial<NetworkCreateRequest>, string])[] = [
		[
			option("bridge.enable_icc", "foo"),
			'invalid-parameter: failed to parse com.docker.network.bridge.enable_icc value: foo (strconv.ParseBool: parsing "foo": invalid syntax)',
		],
		[
			option("driver.mtu", "foo"),
			'invalid-parameter: failed to parse com.docker.network.driver.mtu value: foo (strconv.Atoi: parsing "foo": invalid syntax)',
		],
		[option("driver.mtu", "-1"), "invalid-parameter: invalid MTU number: -1"],
		[
			option("bridge.gateway_mode_ipv4", "bla"),
			"invalid-parameter: failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: bla (unknown gateway mode bla)",
		],
		[
			option("bridge.gateway_mode_ipv4", "isolated"),
			"system: gateway mode 'isolated' can only be used for an internal network",
		],
		[
			option("bridge.host_binding_ipv4", "::1"),
			"invalid-parameter: failed to parse com.docker.network.bridge.host_binding_ipv4 value: ::1 (nil ip)",
		],
		[
			option("bridge.name", "a-name-too-long-for-linux"),
			'invalid-parameter: invalid bridge name "a-name-too-long-for-linux": an interface name has 1 to 15 characters',
		],
		[{ EnableIPv4: false }, "invalid-parameter: IPv4 or IPv6 must be enabled"],
		[{ Driver: "nope" }, 'not-found: plugin "nope" not found'],
		[{ Driver: "host" }, 'forbidden: only one instance of "host" network is allowed'],
		[
			option("bridge.trusted_host_interfaces", "eth0:a/b"),
			`invalid-parameter: failed to parse com.docker.network.bridge.trusted_host_interfaces value: eth0:a/b (invalid interface name "a/b")`,
		],
		[{ IPAM: { Driver: "mine" } }, 'not-found: plugin "mine" not found'],
		[{ IPAM: { Driver: "null" } }, "invalid-parameter: ipv4 pool is empty"],
		[{ Ingress: true }, "forbidden: Ingress network can only be global scope network"],
	];
	for (const [request, message] of cases)
		test(`refuses ${JSON.stringify(request)}`, () => expect(refusal(request)).toBe(message));

	test("refuses a bridge that another network has", () => {
		const existing = [plan(option("bridge.name", "lab0"))];
		const id = `b${ID.slice(1)}`;
		expect(refusal({ Name: "b", ...option("bridge.name", "lab0") }, { id, existing })).toBe(
			`forbidden: cannot create network ${id} (lab0): conflicts with network ${ID} (lab0): networks have same bridge name`,
		);
	});
});

test("checkNetworkName() refuses what is empty or predefined", () => {
	for (const name of ["", "  "]) expect(() => checkNetworkName(name)).toThrow("invalid name: name is empty");
	for (const name of ["bridge", "host", "none"])
		expect(() => checkNetworkName(name)).toThrow(`operation is not permitted on predefined ${name} network `);
});
