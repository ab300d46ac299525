import { expect, test } from "bun:test";
import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { EngineError, errorKind } from "../../base/errors.ts";
import { planNetwork } from "./network-creation.ts";
import type { NetworkRecord } from "./network-record.ts";

const ID = "0123456789abcdef".repeat(4);

function plan(request: Partial<NetworkCreateRequest>, existing: readonly NetworkRecord[] = []): NetworkRecord {
	return planNetwork({
		id: `${existing.length}${ID.slice(1)}`,
		createdAt: 1,
		request: { Name: `lab${existing.length}`, ...request },
		existing,
		hostSubnets: [],
		pools: [{ base: "172.18.0.0/15", prefixLength: 16 }],
		pool6: [],
		defaultMtu: 1500,
	});
}

const CONFIGURATION = plan({
	ConfigOnly: true,
	IPAM: { Config: [{ Subnet: "10.79.0.0/24" }] },
	Options: { "com.docker.network.driver.mtu": "1400" },
	Labels: { a: "b" },
});

test("a configuration is a record and nothing else, and gives its subnet to one network", () => {
	expect(CONFIGURATION).toMatchObject({ driver: "null", configOnly: true, ipam: [{ subnet: "10.79.0.0/24" }] });
	expect(CONFIGURATION.bridge).toBeUndefined();
	const made = plan({ ConfigFrom: { Network: "lab0" }, Attachable: true }, [CONFIGURATION]);
	expect(made).toMatchObject({
		driver: "bridge",
		configFrom: "lab0",
		attachable: true,
		labels: { a: "b" },
		options: { "com.docker.network.driver.mtu": "1400" },
		bridge: { subnet: "10.79.0.0/24", mtu: 1400 },
	});
	expect(refusal({ ConfigFrom: { Network: "lab0" } }, [CONFIGURATION, made])).toContain("Pool overlaps");
});

function refusal(request: Partial<NetworkCreateRequest>, existing: readonly NetworkRecord[]): string {
	try {
		plan(request, existing);
	} catch (error) {
		if (error instanceof EngineError) return `${errorKind(error)}: ${error.message}`;
		throw error;
	}
	return "accepted";
}

const OWN = "user specified configurations are not supported if the network depends on a configuration network";
const FROM = { ConfigFrom: { Network: "lab0" } };
const cases: readonly (readonly [Partial<NetworkCreateRequest>, string])[] = [
	[{ ConfigFrom: { Network: "nope" } }, 'not-found: configuration network "nope" does not exist'],
	[{ ...FROM, Labels: { x: "y" } }, `forbidden: ${OWN}`],
	[{ ...FROM, EnableIPv6: true }, `forbidden: ${OWN}`],
	[{ ...FROM, IPAM: { Config: [{ Subnet: "10.80.0.0/24" }] } }, `forbidden: ${OWN}`],
	[
		{ ...FROM, Options: { a: "b" } },
		"forbidden: network driver options are not supported if the network depends on a configuration network",
	],
	[{ ...FROM, ConfigOnly: true }, "forbidden: a configuration network cannot depend on another configuration network"],
	[
		{ ConfigOnly: true, Internal: true },
		"forbidden: configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
	],
];
for (const [request, message] of cases)
	test(`${JSON.stringify(request)} is refused`, () => expect(refusal(request, [CONFIGURATION])).toBe(message));
