import { expect, test } from "bun:test";
import { formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { Filters } from "./filters.ts";

test("parseEndpoint() reads what -H takes", () => {
	const tls = { verify: true };
	const cases: [string, ReturnType<typeof parseEndpoint>][] = [
		["", { kind: "unix", path: "/var/run/gantry.sock" }],
		["unix:///run/x.sock", { kind: "unix", path: "/run/x.sock" }],
		["/run/x.sock", { kind: "unix", path: "/run/x.sock" }],
		["tcp://host", { kind: "tcp", hostname: "host", port: 2375, basePath: "" }],
		["tcp://:1234/", { kind: "tcp", hostname: "127.0.0.1", port: 1234, basePath: "" }],
		["host:99", { kind: "tcp", hostname: "host", port: 99, basePath: "" }],
		["tcp://[::1]:5/p/q/", { kind: "tcp", hostname: "::1", port: 5, basePath: "/p/q" }],
		["https://host", { kind: "tcp", hostname: "host", port: 2376, basePath: "", tls }],
	];
	expect(cases.map(([text]) => parseEndpoint(text))).toEqual(cases.map(([, endpoint]) => endpoint));
	expect(formatEndpoint(parseEndpoint("tcp://[::1]:5/p"))).toBe("tcp://[::1]:5/p");
	for (const bad of ["ftp://x", "tcp://a:b:c", "tcp://h:0", "tcp://h:65536"])
		expect(() => parseEndpoint(bad)).toThrow(`unable to parse docker host "${bad}"`);
	expect(() => parseEndpoint("ssh://h")).toThrow("ssh:// is not supported yet");
});

test("Filters collect alternatives by name", () => {
	expect(Filters.parse(["status=running", "STATUS = paused", "label=a=b"]).toQuery()).toBe(
		'{"status":{"running":true,"paused":true},"label":{"a=b":true}}',
	);
	expect(new Filters().toQuery()).toBeUndefined();
	expect(() => Filters.parse(["x"])).toThrow("expected name=value");
});
