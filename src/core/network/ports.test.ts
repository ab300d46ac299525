import { describe, expect, test } from "bun:test";
import { planPorts, portMapOf, validatePorts } from "./port-plan.ts";
import { parseExposeSpec, parsePortSpecs } from "./port-spec.ts";

describe("parsePortSpecs()", () => {
	for (const [spec, want] of [
		["80", { "80/tcp": [{ HostIp: "", HostPort: "" }] }],
		["8080:80", { "80/tcp": [{ HostIp: "", HostPort: "8080" }] }],
		["127.0.0.1::80", { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] }],
		["127.0.0.1:8080:80/udp", { "80/udp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] }],
		["::1:80:80", { "80/tcp": [{ HostIp: "::1", HostPort: "80" }] }],
		["[::]:9191:80", { "80/tcp": [{ HostIp: "::", HostPort: "9191" }] }],
		["8000-8010:80", { "80/tcp": [{ HostIp: "", HostPort: "8000-8010" }] }],
		["8000-8001:80-81", { "80/tcp": [{ HostIp: "", HostPort: "8000" }], "81/tcp": [{ HostIp: "", HostPort: "8001" }] }],
		["80-81", { "80/tcp": [{ HostIp: "", HostPort: "" }], "81/tcp": [{ HostIp: "", HostPort: "" }] }],
		["0:80", { "80/tcp": [{ HostIp: "", HostPort: "0" }] }],
	] as const)
		test(spec, () => {
			expect(parsePortSpecs([spec]).portBindings as unknown).toEqual(want);
			expect(Object.keys(parsePortSpecs([spec]).exposedPorts)).toEqual(Object.keys(want));
		});

	for (const [spec, message] of [
		["70000:80", "invalid hostPort: 70000"],
		["80:70000", "invalid containerPort: 70000"],
		["8080-8082:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8080-8082"],
		["a:80", "invalid hostPort: a"],
		["80/foo", "invalid proto: foo"],
		["1.2.3:80:80", "invalid IP address: 1.2.3"],
		["8080-8070:80", "invalid hostPort: 8080-8070"],
		["80-70", "invalid containerPort: 80-70"],
		["80:", "no port specified: 80:<empty>"],
		["", "no port specified: <empty>"],
		["host:80:80", "invalid IP address: host"],
		["1:2:3:4", "invalid IP address: 1:2"],
	] as const)
		test(`"${spec}" is refused`, () => expect(() => parsePortSpecs([spec])).toThrow(message));
});

test("parseExposeSpec() takes ranges and says what is wrong as docker does", () => {
	expect(parseExposeSpec("80-82")).toEqual(["80/tcp", "81/tcp", "82/tcp"]);
	expect(parseExposeSpec("53/UDP")).toEqual(["53/udp"]);
	expect(() => parseExposeSpec("70000")).toThrow(
		'invalid range format for --expose: 70000, error: strconv.ParseUint: parsing "70000": value out of range',
	);
	expect(() => parseExposeSpec("80-70")).toThrow("invalid range specified for port: 80-70");
	expect(() => parseExposeSpec("x")).toThrow("invalid syntax");
});

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

test("publishing all adds the exposed ports that have no binding", () => {
	const plan = planPorts({
		...defaults,
		exposedPorts: { "80": {}, "81/tcp": {} },
		portBindings: { "81/tcp": [{ HostPort: "9" }], "82/tcp": null },
		publishAll: true,
	});
	expect(plan.map((request) => [request.containerPort, request.hostPortStart])).toEqual([
		[80, 0],
		[80, 0],
		[81, 9],
		[81, 9],
	]);
	expect(planPorts({ ...defaults, exposedPorts: { "80/tcp": {} } })).toEqual([]);
});

describe("validatePorts() refuses", () => {
	for (const [bindings, message] of [
		[{ "80/tcp": [{ HostPort: "abc" }] }, 'invalid port specification: "abc"'],
		[{ "70000/tcp": [{}] }, 'invalid port specification: "70000"'],
		[{ "80-81/tcp": [{}] }, 'invalid port specification: "80-81"'],
		[{ "80/tcp": [{ HostPort: "10-5" }] }, 'invalid port specification: "10-5"'],
		[{ "80/tcp": [{ HostIp: "nope" }] }, "invalid IP address: nope"],
		[{ "80/foo": [{}] }, 'unknown protocol "foo"'],
	] as const)
		test(message, () => expect(() => validatePorts({}, structuredClone(bindings) as never)).toThrow(message));
});

test("portMapOf() shows exposed ports without a mapping as null", () => {
	const mapping = { protocol: "tcp", containerPort: 80, hostAddress: "0.0.0.0", hostPort: 8080 } as const;
	expect(portMapOf(["80", "81/udp"], [mapping, { ...mapping, hostAddress: "::" }])).toEqual({
		"80/tcp": [
			{ HostIp: "0.0.0.0", HostPort: "8080" },
			{ HostIp: "::", HostPort: "8080" },
		],
		"81/udp": null,
	});
});
