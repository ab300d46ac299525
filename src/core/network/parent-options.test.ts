import { describe, expect, test } from "bun:test";
import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { EngineError, errorKind } from "../../base/errors.ts";
import { planNetwork } from "./network-creation.ts";
import type { NetworkRecord } from "./network-record.ts";
import { parseVlanName } from "./parent-options.ts";

const ID = "0123456789abcdef".repeat(4);

function plan(request: Partial<NetworkCreateRequest>, existing: readonly NetworkRecord[] = []): NetworkRecord {
	return planNetwork({
		id: `${existing.length}${ID.slice(1)}`,
		createdAt: 1,
		request: { Name: `lab${existing.length}`, Driver: "macvlan", ...request },
		existing,
		hostSubnets: [],
		pools: [{ base: "172.18.0.0/15", prefixLength: 16 }],
		pool6: [],
		defaultMtu: 1500,
	});
}

function refusal(work: () => unknown): string {
	try {
		work();
	} catch (error) {
		if (error instanceof EngineError) return `${errorKind(error)}: ${error.message}`;
		throw error;
	}
	return "accepted";
}

describe("a macvlan network", () => {
	test("has no gateway that nobody gave, and with several subnets one for each", () => {
		expect(plan({ Options: { parent: "eth0" } })).toMatchObject({
			driver: "macvlan",
			internal: false,
			ipam: [{ subnet: "172.18.0.0/16" }],
			parent: { kind: "macvlan", parent: "eth0", mode: "bridge", internal: false },
		});
		const Config = [{ Subnet: "10.7.0.0/24", Gateway: "10.7.0.254" }, { Subnet: "10.8.0.0/24" }];
		expect(plan({ IPAM: { Config } }).ipam).toEqual([
			{ subnet: "10.7.0.0/24", gateway: "10.7.0.254" },
			{ subnet: "10.8.0.0/24" },
		]);
	});

	test("without a parent has one of its own and is internal", () => {
		expect(plan({}).parent).toEqual({
			kind: "macvlan",
			id: ID,
			parent: "dm-0123456789ab",
			mode: "bridge",
			internal: true,
		});
	});

	test("shares its parent with others, unless one of them has it for itself", () => {
		const first = plan({ Options: { parent: "eth0", macvlan_mode: "vepa" } });
		const second = plan({ Options: { parent: "eth0" } }, [first]);
		expect(second.ipam).toEqual([{ subnet: "172.19.0.0/16" }]);
		const alone = { Options: { parent: "eth0", macvlan_mode: "passthru" } };
		expect(refusal(() => plan(alone, [first]))).toBe(
			`forbidden: cannot use mode passthru, macvlan network ${first.id} is already using parent interface eth0`,
		);
		expect(refusal(() => plan({ Options: { parent: "eth0" } }, [plan(alone)]))).toBe(
			`forbidden: macvlan network ${ID} is already using parent interface eth0 in mode passthru`,
		);
		expect(refusal(() => plan({ Driver: "ipvlan", Options: { parent: "eth0" } }, [first]))).toBe(
			"forbidden: network dm-0123456789ab is already using parent interface eth0",
		);
	});

	const cases: readonly (readonly [Partial<NetworkCreateRequest>, string])[] = [
		[{ Options: { parent: "lo" } }, "invalid-parameter: loopback interface is not a valid macvlan parent link"],
		[
			{ Options: { macvlan_mode: "foo" } },
			"invalid-parameter: requested macvlan mode 'foo' is not valid, 'bridge' mode is the macvlan driver default",
		],
		[
			{ Driver: "ipvlan", Options: { ipvlan_mode: "l9" } },
			"invalid-parameter: requested ipvlan mode 'l9' is not valid, 'l2' mode is the ipvlan driver default",
		],
		[
			{ Driver: "ipvlan", Options: { ipvlan_flag: "x" } },
			"invalid-parameter: requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
		],
		[
			{ IPAM: { Config: [{ Subnet: "10.7.0.0/24" }, { Subnet: "10.7.0.0/25" }] } },
			"forbidden: invalid pool request: Pool overlaps with other one on this address space",
		],
	];
	for (const [request, message] of cases)
		test(`is refused with ${JSON.stringify(request)}`, () => expect(refusal(() => plan(request))).toBe(message));
});

test("an ipvlan network has a mode and a flag", () => {
	expect(plan({ Driver: "ipvlan", Options: { parent: "eth0", ipvlan_mode: "l3s" } }).parent).toMatchObject({
		kind: "ipvlan",
		mode: "l3s",
		flag: "bridge",
	});
});

test("names of VLANs say which, on what", () => {
	expect(parseVlanName("eth0.10")).toEqual({ parent: "eth0", vlanId: 10 });
	for (const [name, why] of [
		["eth0", "invalid subinterface vlan name eth0, example formatting is eth0.10"],
		["a.b.c", "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received a.b.c"],
		["eth0.x", "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"],
		["eth0.4095", "vlan id must be between 1-4094, received: 4095"],
	] as const)
		expect(() => parseVlanName(name)).toThrow(why);
});
