import { describe, expect, test } from "bun:test";
import { type AddressOptions, addressPools } from "./address-pools.ts";

const pools = (options: Partial<AddressOptions>) =>
	addressPools({ subnets: [], ranges: [], gateways: [], auxiliary: {}, ...options });

describe("addressPools()", () => {
	test("gives each range, gateway and address to the subnet that contains it", () => {
		expect(
			pools({
				subnets: ["10.1.0.0/24", "10.2.0.0/24", "fd00:9::/64"],
				ranges: ["10.2.0.128/25"],
				gateways: ["fd00:9::1", "10.2.0.1"],
				auxiliary: { a: "10.1.0.7", b: "10.1.0.8" },
			}),
		).toEqual([
			{ Subnet: "10.1.0.0/24", AuxiliaryAddresses: { a: "10.1.0.7", b: "10.1.0.8" } },
			{ Subnet: "10.2.0.0/24", IPRange: "10.2.0.128/25", Gateway: "10.2.0.1" },
			{ Subnet: "fd00:9::/64", Gateway: "fd00:9::1" },
		]);
		expect(pools({ subnets: ["x"] })).toEqual([{ Subnet: "x" }]);
	});

	const one = ["10.1.0.0/24"];
	const two = ["10.1.0.0/24", "10.2.0.0/24"];
	test.each([
		[{ gateways: ["1.2.3.4"] }, "every ip-range or gateway must have a corresponding subnet"],
		[
			{ subnets: one, ranges: ["10.1.0.0/25", "10.1.0.128/25"] },
			"every ip-range or gateway must have a corresponding subnet",
		],
		[{ subnets: ["10.1.0.0/24", "10.1.0.0/25"] }, "multiple overlapping subnet configuration is not supported"],
		[{ subnets: one, gateways: ["10.2.0.1"] }, "no matching subnet for gateway 10.2.0.1"],
		[{ subnets: one, gateways: ["zz:zz"] }, "no matching subnet for gateway zz:zz"],
		[{ subnets: one, ranges: ["10.9.0.0/25"] }, "no matching subnet for range 10.9.0.0/25"],
		[{ subnets: one, ranges: ["x"] }, "invalid CIDR address: x"],
		[{ subnets: one, auxiliary: { a: "10.9.0.1" } }, "no matching subnet for aux-address 10.9.0.1"],
		[{ subnets: ["x"], gateways: ["1.1.1.1"] }, "invalid subnet: invalid CIDR address: x"],
		[
			{ subnets: two, gateways: ["10.1.0.1", "10.1.0.2"] },
			"cannot configure multiple gateways (10.1.0.2, 10.1.0.1) for the same subnet (10.1.0.0/24)",
		],
		[
			{ subnets: two, ranges: ["10.1.0.0/25", "10.1.0.128/25"] },
			"cannot configure multiple ranges (10.1.0.128/25, 10.1.0.0/25) on the same subnet (10.1.0.0/24)",
		],
	])("refuses %j", (options, message) => {
		expect(() => pools(options)).toThrow(message);
	});
});
