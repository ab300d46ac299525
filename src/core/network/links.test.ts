import { expect, test } from "bun:test";
import { linkEnvironment, linkHostsEntry, parseLink } from "./links.ts";

const DATABASE = {
	name: "db",
	config: {
		Hostname: "0123456789ab",
		ExposedPorts: { "5432/tcp": {}, "53/udp": {} },
		Env: ["PGUSER=x", "PATH=/bin", "BARE"],
	},
} as never;

test.each([
	["db", { target: "db", alias: "db" }],
	["db:pg", { target: "db", alias: "pg" }],
	["/db:/web/pg", { target: "db", alias: "pg" }],
])("parseLink() reads %s", (text, expected) => {
	expect(parseLink(text)).toEqual(expected);
});

test("a linked container answers to its alias, its host name and its name", () => {
	expect(linkHostsEntry({ target: "db", alias: "pg" }, DATABASE, "10.0.0.2")).toEqual({
		address: "10.0.0.2",
		names: ["pg", "0123456789ab", "db"],
	});
});

test("a link sets variables for the name, the ports and the other container's own variables", () => {
	expect(linkEnvironment({ target: "db", alias: "my-pg" }, DATABASE, "10.0.0.2", "web")).toEqual([
		"MY_PG_NAME=/web/my-pg",
		"MY_PG_PORT=tcp://10.0.0.2:5432",
		"MY_PG_PORT_5432_TCP=tcp://10.0.0.2:5432",
		"MY_PG_PORT_5432_TCP_ADDR=10.0.0.2",
		"MY_PG_PORT_5432_TCP_PORT=5432",
		"MY_PG_PORT_5432_TCP_PROTO=tcp",
		"MY_PG_PORT_53_UDP=udp://10.0.0.2:53",
		"MY_PG_PORT_53_UDP_ADDR=10.0.0.2",
		"MY_PG_PORT_53_UDP_PORT=53",
		"MY_PG_PORT_53_UDP_PROTO=udp",
		"MY_PG_ENV_PGUSER=x",
	]);
});

test("a link names runs of consecutive ports by their ends", () => {
	const ExposedPorts = { "82/tcp": {}, "80/tcp": {}, "81/tcp": {}, "83/udp": {}, "90/tcp": {} };
	const other = { name: "web", config: { ExposedPorts } } as never;
	const lines = linkEnvironment({ target: "web", alias: "w" }, other, "10.0.0.2", "c");
	expect(lines.filter((line) => /_(START|END)=/.test(line))).toEqual([
		"W_PORT_80_TCP_START=tcp://10.0.0.2:80",
		"W_PORT_80_TCP_PORT_START=80",
		"W_PORT_80_TCP_END=tcp://10.0.0.2:82",
		"W_PORT_80_TCP_PORT_END=82",
	]);
});
