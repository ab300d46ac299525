import { expect, test } from "bun:test";
import type { EndpointSettings } from "../../api/engine/container.ts";
import { errorMessage } from "../../base/errors.ts";
import { checkEndpoint } from "./endpoints.ts";

const NETWORK = { userSubnets: ["10.60.0.0/24"] };

function faults(settings: EndpointSettings): string[] {
	try {
		checkEndpoint("lab", settings, NETWORK);
		return [];
	} catch (error) {
		return errorMessage(error).split("\n").slice(1);
	}
}

const SYSCTLS = "com.docker.network.endpoint.sysctls";
const cases: readonly (readonly [EndpointSettings, readonly string[]])[] = [
	[{ IPAMConfig: { IPv4Address: "10.60.0.7" } }, []],
	[{ IPAMConfig: { IPv4Address: "10.61.0.7" } }, ["no configured subnet or ip-range contain the IP address 10.61.0.7"]],
	[
		{ IPAMConfig: { IPv4Address: "x" } },
		["* invalid IPv4 address: x", "* no configured subnet or ip-range contain the IP address x"],
	],
	[
		{ IPAMConfig: { IPv4Address: "fd00::1" } },
		["* invalid IPv4 address: fd00::1", "* no configured subnet or ip-range contain the IP address fd00::1"],
	],
	[
		{ IPAMConfig: { IPv6Address: "fd00::1" } },
		["user specified IP address is supported only when connecting to networks with user configured subnets"],
	],
	[{ DriverOpts: { [SYSCTLS]: "net.ipv4.conf.IFNAME.log_martians=1" } }, []],
	[
		{ DriverOpts: { [SYSCTLS]: "net.ipv4.conf.eth0.log_martians=1" } },
		[
			"unrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
		],
	],
];

test.each(cases)("checkEndpoint() of %j lists what is wrong", (settings, wanted) => {
	expect(faults(settings)).toEqual([...wanted]);
});
