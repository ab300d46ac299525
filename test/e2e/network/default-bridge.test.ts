/** What the daemon's configuration makes of its bridges: IPv6 on the default one, default options, ways past published ports. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";
import { HOST_ADDRESS, HOST_ADDRESS6, NetworkHost, OUTSIDE_ADDRESS6 } from "../../support/network-host.ts";

const MTU = "com.docker.network.driver.mtu";
const SUBNET6 = "2001:db8:17::/64";
/** The file is written anew at each start of the daemon. */
const config: Record<string, unknown> = {
	ipv6: true,
	"fixed-cidr-v6": SUBNET6,
	"default-network-opts": { bridge: { [MTU]: "1400", "com.docker.network.enable_ipv6": "true" } },
	"default-address-pools": [
		{ base: "10.201.0.0/16", size: 24 },
		{ base: "fd00:201::/48", size: 64 },
	],
};
const WEB = ["busybox", "httpd", "-f", "-h", "/var/www"];
const PAGE = "<!doctype html>";

let host: NetworkHost;
let daemon: TestDaemon;
beforeAll(async () => {
	host = await NetworkHost.create();
	daemon = await TestDaemon.start({ wrapper: host.wrapper, config });
	await daemon.loadBusybox();
	// The other host knows the way to the containers; whether it may go it is another matter.
	await host.outside("ip", "route", "add", "10.0.0.0/8", "via", HOST_ADDRESS);
	await host.outside("ip", "route", "add", SUBNET6, "via", HOST_ADDRESS6);
	await host.outside("ip", "route", "add", "fd00:201::/48", "via", HOST_ADDRESS6);
}, 60_000);
afterAll(async () => {
	try {
		await daemon.remove();
	} finally {
		await host[Symbol.asyncDispose]();
	}
});

const must = (...args: string[]) => (dockerClient === undefined ? daemon.mustGantry(args) : daemon.mustDocker(args));
const inspect = async (network: string) => JSON.parse(await must("network", "inspect", network))[0];
const addresses = async (container: string) =>
	(
		await must(
			"inspect",
			"-f",
			"{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}",
			container,
		)
	)
		.trim()
		.split(" ");
const outside = (address: string) => host.page(`http://${address.includes(":") ? `[${address}]` : address}`);

describe("the default bridge with IPv6", () => {
	test("gives out addresses of its range, and shows it as Docker does", async () => {
		const network = await inspect("bridge");
		expect(network.EnableIPv6).toBe(true);
		expect(network.IPAM.Config).toContainEqual({ Subnet: SUBNET6, IPRange: SUBNET6 });
		expect(network.Options[MTU]).toBe("1500");
		await must("run", "-d", "--name", "web", "-p", "8080:80", ...WEB);
		const [, address6 = ""] = await addresses("web");
		expect(address6).toStartWith("2001:db8:17::");
		expect(await must("exec", "web", "ip", "-6", "route")).toContain("default via 2001:db8:17::1 dev eth0");
	});

	test("publishes by IPv6, and leads out of the host with the host's address", async () => {
		expect(await waitFor("the page", () => host.page(`http://[${HOST_ADDRESS6}]:8080`))).toBe(PAGE);
		const [, address6 = ""] = await addresses("web");
		expect(await outside(address6)).toBeUndefined();
		// Only a translated sender is answered: the other host has no route back without the one that is taken away here.
		await host.outside("ip", "route", "del", SUBNET6);
		expect(await must("exec", "web", "ping", "-6", "-c", "1", "-W", "2", OUTSIDE_ADDRESS6)).toContain(
			"1 packets received",
		);
		await host.outside("ip", "route", "add", SUBNET6, "via", HOST_ADDRESS6);
	});
});

describe("default-network-opts", () => {
	test("are options of new networks that do not say otherwise, and of their interfaces", async () => {
		await must("network", "create", "plain");
		await must("network", "create", "--ipv6=false", "-o", `${MTU}=1300`, "own");
		const [plain, own] = [await inspect("plain"), await inspect("own")];
		expect([plain.EnableIPv6, plain.Options]).toEqual([
			true,
			{ [MTU]: "1400", "com.docker.network.enable_ipv6": "true" },
		]);
		expect([own.EnableIPv6, own.Options]).toEqual([false, { [MTU]: "1300" }]);
		expect(await must("run", "--rm", "--network", "plain", "busybox", "cat", "/sys/class/net/eth0/mtu")).toBe("1400");
		await must("network", "rm", "plain", "own");
	});
});

describe("containers' own addresses", () => {
	test("are reached at published ports from trusted interfaces, and from no others", async () => {
		const TRUSTED = "com.docker.network.bridge.trusted_host_interfaces";
		for (const [name, trusted, published] of [
			["near", `nope0:${host.uplink}`, "80"],
			["far", "nope0", "127.0.0.1::80"],
		] as const) {
			await must("network", "create", "-o", `${TRUSTED}=${trusted}`, name);
			await must("run", "-d", "--name", name, "--network", name, "-p", published, ...WEB);
			// Not published.
			await must("exec", "-d", name, "httpd", "-f", "-p", "81", "-h", "/var/www");
		}
		for (const address of await addresses("near")) {
			expect(await waitFor("the page", () => outside(address))).toBe(PAGE);
			expect(await host.page(`http://${address.includes(":") ? `[${address}]` : address}:81`)).toBeUndefined();
		}
		for (const address of await addresses("far")) expect(await outside(address)).toBeUndefined();
	});

	test("are reached from everywhere with allow-direct-routing, also by those that ran before", async () => {
		config["allow-direct-routing"] = true;
		await daemon.stop();
		await daemon.start();
		const [far = "", far6 = ""] = await addresses("far");
		const [web = "", web6 = ""] = await addresses("web");
		// The port of "far" is published over IPv4 alone.
		for (const address of [far, web, web6]) expect(await waitFor("the page", () => outside(address))).toBe(PAGE);
		expect(await outside(`${far}:81`)).toBeUndefined();
		expect(await outside(far6)).toBeUndefined();
		config["allow-direct-routing"] = false;
		await daemon.stop();
		await daemon.start();
		expect(await outside(far)).toBeUndefined();
	});
});
