import { describe, expect, test } from "bun:test";
import { type DefaultBridgeFamily, type DefaultBridgeInput, planDefaultBridge } from "./default-bridge.ts";

function plan(v4: DefaultBridgeFamily, v6?: DefaultBridgeFamily, change: Partial<DefaultBridgeInput> = {}) {
	return planDefaultBridge({
		id: "ab".repeat(32),
		createdAt: 1,
		bridge: "gantry0",
		v4,
		...(v6 === undefined ? {} : { v6 }),
		mtu: 1500,
		interContainer: true,
		masquerade: true,
		hostAddress: "0.0.0.0",
		stored: undefined,
		taken: ["172.17.3.0/24"],
		pools: {
			v4: [{ base: "172.16.0.0/12", prefixLength: 16 }],
			v6: [{ base: "fd01::/48", prefixLength: 64 }],
		},
		...change,
	});
}

/** What containers get, and what is shown. */
function summary(record: ReturnType<typeof plan>): string {
	const { subnet, gateway, nextHop, subnet6 = "-", gateway6 = "-", nextHop6 } = record.bridge ?? {};
	const shown = record.ipam.map(({ subnet: own, range, gateway: first, auxiliary }) =>
		[own, range ?? "-", first ?? "-", ...Object.entries(auxiliary ?? {}).flat()].join(" "),
	);
	return [`${subnet} ${nextHop ?? gateway}`, `${subnet6} ${nextHop6 ?? gateway6}`, ...shown].join("; ");
}

describe("planDefaultBridge()", () => {
	const bip = { address: "10.1.0.1/24" };
	const cases: readonly (readonly [string, DefaultBridgeFamily, DefaultBridgeFamily | undefined, string])[] = [
		["chooses a free subnet", {}, undefined, "172.16.0.0/16 172.16.0.1; - -; 172.16.0.0/16 - 172.16.0.1"],
		[
			"takes an IPv6 subnet from the pool",
			bip,
			{},
			"10.1.0.0/24 10.1.0.1; fd01::/64 fd01::1; 10.1.0.0/24 - 10.1.0.1; fd01::/64 - fd01::1",
		],
		[
			"takes a range alone for the subnet, and shows what was configured first",
			{},
			{ range: "2001:db8::/64" },
			"172.16.0.0/16 172.16.0.1; 2001:db8::/64 2001:db8::1; 2001:db8::/64 2001:db8::/64 -; 172.16.0.0/16 - 172.16.0.1",
		],
		[
			"gives out addresses of a range within the bridge's subnet",
			{ ...bip, range: "10.1.0.128/25" },
			{ address: "fd02::1/64", range: "fd02::100/120" },
			"10.1.0.0/24 10.1.0.1; fd02::/64 fd02::1; 10.1.0.0/24 10.1.0.128/25 10.1.0.1; fd02::/64 fd02::100/120 fd02::1",
		],
		[
			"sends containers to another gateway",
			{ ...bip, nextHop: "10.1.0.254" },
			{ range: "fd02::/64", nextHop: "fd02::9" },
			"10.1.0.0/24 10.1.0.254; fd02::/64 fd02::9; 10.1.0.0/24 - 10.1.0.1 DefaultGatewayIPv4 10.1.0.254; fd02::/64 fd02::/64 - DefaultGatewayIPv6 fd02::9",
		],
	];
	test.each(cases)("%s", (_name, v4, v6, wanted) => {
		expect(summary(plan(v4, v6))).toBe(wanted);
	});

	test("keeps what was chosen once", () => {
		const stored = plan({}, {}, { taken: ["172.16.0.0/14"] });
		expect(summary(plan({}, {}, { stored }))).toBe(summary(stored));
		expect(plan({ range: "172.20.8.0/24" }, undefined, { stored }).bridge?.subnet).toBe("172.20.0.0/16");
		expect(plan({ range: "10.2.0.0/24" }, undefined, { stored }).bridge?.subnet).toBe("10.2.0.0/24");
		expect(plan({}, undefined, { stored }).enableIpv6).toBe(false);
	});

	test.each([
		[
			{ ...bip, range: "10.2.0.0/24" },
			"fixed range 10.2.0.0/24 of the default bridge is not within its subnet 10.1.0.0/24",
		],
		[
			{ ...bip, range: "10.0.0.0/8" },
			"fixed range 10.0.0.0/8 of the default bridge is not within its subnet 10.1.0.0/24",
		],
		[
			{ ...bip, nextHop: "10.2.0.1" },
			"default gateway 10.2.0.1 of the default bridge is not within its subnet 10.1.0.0/24",
		],
	])("refuses %o", (v4, message) => {
		expect(() => plan(v4)).toThrow(message);
	});
});
