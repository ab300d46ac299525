import { describe, expect, test } from "bun:test";
import { planPorts } from "./port-plan.ts";

const defaults = { exposedPorts: {}, portBindings: {}, publishAll: false, defaultHostAddresses: ["0.0.0.0", "::"] };

test("planPorts() makes one request per host address, in the order of the container's ports", () => {
	const portBindings = {
		"443/tcp": [{ HostPort: "8443" }],
		"53/udp": [{ HostIp: "127.0.0.1", HostPort: "5353-5360" }],
	};
	expect(planPorts({ ...defaults, portBindings })).toEqual([
		{ protocol: "udp", containerPort: 53, hostAddress: "127.0.0.1", hostPortStart: 5353, hostPortEnd: 5360 },
		{ protocol: "tcp", containerPort: 443, hostAddress: "0.0.0.0", hostPortStart: 8443, hostPortEnd: 8443 },
		{ protocol: "tcp", containerPort: 443, hostAddress: "::", hostPortStart: 8443, hostPortEnd: 8443 },
	]);
});

test("publishing all adds the exposed ports that have no binding, ranges port by port", () => {
	const plan = planPorts({
		...defaults,
		defaultHostAddresses: ["127.0.0.1"],
		exposedPorts: { "80": {}, "81/tcp": {}, "90-91/udp": {} },
		portBindings: { "81/tcp": [{ HostPort: "9" }], "82/tcp": null },
		publishAll: true,
	});
	expect(plan.map((request) => [request.containerPort, request.protocol, request.hostPortStart])).toEqual([
		[80, "tcp", 0],
		[81, "tcp", 9],
		[90, "udp", 0],
		[91, "udp", 0],
	]);
	expect(planPorts({ ...defaults, exposedPorts: { "80/tcp": {} } })).toEqual([]);
});

describe("planPorts() refuses", () => {
	for (const [portBindings, message] of [
		[{ "80/tcp": [{ HostPort: "abc" }] }, 'invalid port specification: "abc"'],
		[{ "70000/tcp": [{}] }, 'invalid port specification: "70000"'],
		[{ "80/tcp": [{ HostPort: "10-5" }] }, 'invalid port specification: "10-5"'],
		[{ "80/tcp": [{ HostIp: "nope" }] }, "invalid IP address: nope"],
		[{ "80/foo": [{}] }, "invalid proto: foo"],
	] as const)
		test(message, () =>
			expect(() => planPorts({ ...defaults, portBindings: structuredClone(portBindings) as never })).toThrow(message),
		);
});
