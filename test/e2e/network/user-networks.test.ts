/** Networks of one's own: made, used, connected to and left, with a client and real traffic. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { ClientSuite } from "../../support/client-suite.ts";
import { waitFor } from "../../support/commands.ts";

const suite = ClientSuite.use();
const WEB = ["busybox", "sh", "-c", "mkdir /w; hostname > /w/index.html; exec httpd -f -h /w"];
const SLEEP = ["busybox", "sleep", "1000"];

afterEach(async () => {
	const containers = await suite.must(["ps", "-aq"]);
	if (containers !== "") await suite.must(["rm", "-f", ...containers.split("\n")]);
	await suite.must(["network", "prune", "-f"]);
	expect(await suite.must(["network", "ls", "-q", "-f", "type=custom"])).toBe("");
});

const inside = (container: string, script: string) => suite.must(["exec", container, "sh", "-c", script]);
const addresses = async (name: string) =>
	(await inside("probe", `nslookup -type=a ${name} | sed -n 's/^Address: //p'`))
		.split("\n")
		.filter((line) => line !== "")
		.sort();
const ipOn = (container: string, network: string) =>
	suite.must(["inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container]);

describe("a network of one's own", () => {
	test("is shown as it was asked for, and gone when it is removed", async () => {
		const options = ["--subnet", "10.214.1.0/24", "--ip-range", "10.214.1.128/25", "--gateway", "10.214.1.254"];
		const more = [
			"--aux-address",
			"x=10.214.1.129",
			"--label",
			"a=b",
			"-o",
			"com.docker.network.driver.mtu=1400",
			"--internal",
		];
		const id = await suite.must(["network", "create", ...options, ...more, "lab"]);
		const [shown] = JSON.parse(await suite.must(["network", "inspect", "lab"]));
		expect(shown).toMatchObject({
			Name: "lab",
			Id: id,
			Driver: "bridge",
			Internal: true,
			IPAM: {
				Config: [
					{
						Subnet: "10.214.1.0/24",
						IPRange: "10.214.1.128/25",
						Gateway: "10.214.1.254",
						AuxiliaryAddresses: { x: "10.214.1.129" },
					},
				],
			},
			Options: { "com.docker.network.driver.mtu": "1400" },
			Labels: { a: "b" },
		});
		expect(existsSync(`/sys/class/net/br-${id.slice(0, 12)}`)).toBe(true);
		await suite.must(["run", "-d", "--name", "one", "--network", "lab", ...SLEEP]);
		expect(await ipOn("one", "lab")).toBe("10.214.1.128");
		expect(await inside("one", "cat /sys/class/net/eth0/mtu; ip route | grep -c default || true")).toBe("1400\n0");
		expect(await suite.refusal(["network", "rm", "lab"])).toContain(
			'network lab has active endpoints (name:"one" id:"',
		);
		await suite.must(["rm", "-f", "one"]);
		await suite.must(["network", "rm", "lab"]);
		expect(await suite.refusal(["network", "inspect", "lab"])).toContain("network lab not found");
		expect(existsSync(`/sys/class/net/br-${id.slice(0, 12)}`)).toBe(false);
	});

	test("is listed by what it is", async () => {
		await suite.must(["network", "create", "--label", "tier=front", "alpha"]);
		await suite.must(["network", "create", "beta"]);
		const list = (...filters: string[]) =>
			suite.must(["network", "ls", "--format", "{{.Name}}", ...filters.flatMap((filter) => ["-f", filter])]);
		expect(await list("type=custom")).toBe("alpha\nbeta");
		expect(await list("label=tier=front")).toBe("alpha");
		expect(await list("name=et")).toBe("beta");
		await suite.must(["run", "-d", "--network", "beta", ...SLEEP]);
		expect(await list("dangling=true")).toBe("alpha");
		expect((await suite.must(["network", "prune", "-f"])).split("\n")).toContain("alpha");
		expect(await list("type=custom")).toBe("beta");
	});

	test("is refused when it cannot be, with nothing half-made", async () => {
		await suite.must(["network", "create", "--subnet", "10.214.2.0/24", "lab"]);
		const links = await suite.must(["network", "ls", "-q"]);
		const refused = (...args: string[]) => suite.refusal(["network", "create", ...args]);
		expect(await refused("lab")).toContain("network with name lab already exists");
		expect(await refused("--subnet", "10.214.2.128/25", "other")).toContain(
			"Pool overlaps with other one on this address space",
		);
		expect(await refused("-o", "com.docker.network.bridge.name=lo", "other")).toContain(
			"existing interface lo is not a bridge",
		);
		expect(await refused("-d", "nope", "other")).toContain('plugin "nope" not found');
		expect(await refused("--ipam-driver", "nope", "other")).toContain('plugin "nope" not found');
		expect(await refused("-o", "com.docker.network.bridge.enable_icc=x", "other")).toContain("invalid syntax");
		expect(await suite.must(["network", "ls", "-q"])).toBe(links);
	});
});

describe("a configuration for networks", () => {
	test("is made into one, stays as long as it is used, and is no network itself", async () => {
		const settings = ["--subnet", "10.214.9.0/24", "-o", "com.docker.network.driver.mtu=1300", "--label", "a=b"];
		await suite.must(["network", "create", "--config-only", ...settings, "plan"]);
		expect(await suite.must(["network", "inspect", "-f", "{{.Driver}} {{.ConfigOnly}}", "plan"])).toBe("null true");
		await suite.must(["network", "create", "--config-from", "plan", "--attachable", "lab"]);
		const shown = "{{.ConfigFrom.Network}} {{.Attachable}} {{.Labels.a}} {{(index .IPAM.Config 0).Subnet}}";
		expect(await suite.must(["network", "inspect", "-f", shown, "lab"])).toBe("plan true b 10.214.9.0/24");
		const mtu = ["run", "--rm", "--network", "lab", "busybox", "cat", "/sys/class/net/eth0/mtu"];
		expect(await suite.must(mtu)).toBe("1300");
		const refused = (...args: string[]) => suite.refusal(args);
		expect(await refused("network", "rm", "plan")).toContain('configuration network "plan" is in use');
		expect(await refused("network", "create", "--config-from", "plan", "--label", "x=y", "other")).toContain(
			"user specified configurations are not supported",
		);
		expect(await refused("run", "--rm", "--network", "plan", "busybox", "true")).toContain(
			"cannot create endpoint on configuration-only network",
		);
		await suite.must(["network", "rm", "lab", "plan"]);
	});
});

describe("containers on it", () => {
	test("find one another by name, alias, ID and address, and nobody else does", async () => {
		await suite.must(["network", "create", "lab"]);
		const id = await suite.must(["run", "-d", "--name", "web", "--network", "lab", "--network-alias", "site", ...WEB]);
		await suite.must(["run", "-d", "--name", "two", "--network", "lab", "--network-alias", "site", ...WEB]);
		await suite.must(["run", "-d", "--name", "probe", "--network", "lab", ...SLEEP]);
		await suite.must(["run", "-d", "--name", "stranger", ...SLEEP]);
		const [web, two] = [await ipOn("web", "lab"), await ipOn("two", "lab")];
		for (const name of ["web", "WEB", "web.lab", id.slice(0, 12)]) expect(await addresses(name)).toEqual([web]);
		expect(await addresses("site")).toEqual([web, two].sort());
		expect(await inside("probe", `nslookup ${web} | grep name`)).toContain("name = web.lab");
		expect(await inside("probe", "wget -q -O - http://web/")).toBe(id.slice(0, 12));
		expect(await inside("probe", "grep -v '^#' /etc/resolv.conf | grep nameserver")).toBe("nameserver 127.0.0.11");
		const unknown = await suite.run(["exec", "stranger", "wget", "-q", "-T", "2", "-O", "-", `http://${web}/`]);
		expect(unknown.code).not.toBe(0);
		await suite.must(["rename", "two", "three"]);
		expect(await addresses("three")).toEqual([two]);
		await suite.must(["stop", "-t", "0", "three"]);
		expect(await addresses("site")).toEqual([web]);
		await suite.must(["start", "three"]);
		expect(await addresses("site")).toHaveLength(2);
	});

	test("have the addresses they ask for", async () => {
		await suite.must([
			"network",
			"create",
			"--subnet",
			"10.214.3.0/24",
			"--ipv6",
			"--subnet",
			"fd00:214:3::/64",
			"lab",
		]);
		const asked = ["--ip", "10.214.3.9", "--ip6", "fd00:214:3::99", "--mac-address", "02:42:0a:0a:0a:0a"];
		await suite.must(["run", "-d", "--name", "probe", "--network", "lab", ...asked, ...SLEEP]);
		const shown = await inside("probe", "cat /sys/class/net/eth0/address; ip -o addr show eth0 scope global");
		for (const part of ["02:42:0a:0a:0a:0a", "10.214.3.9/24", "fd00:214:3::99/64"]) expect(shown).toContain(part);
		expect(await inside("probe", "ip -6 route | grep default")).toContain("fd00:214:3::1");
		const refused = (...args: string[]) =>
			suite.refusal(["run", "--rm", "--network", "lab", ...args, "busybox", "true"]);
		expect(await refused("--ip", "10.214.3.9")).toContain("Address already in use");
		expect(await refused("--ip", "10.9.9.9")).toContain(
			"no configured subnet or ip-range contain the IP address 10.9.9.9",
		);
		await suite.must(["network", "create", "auto"]);
		expect(await suite.refusal(["run", "--rm", "--network", "auto", "--ip", "10.1.1.1", "busybox", "true"])).toContain(
			"user specified IP address is supported only when connecting to networks with user configured subnets",
		);
	});

	test("have interfaces of the names and settings they ask for", async () => {
		await suite.must(["network", "create", "--ipv4=false", "--ipv6", "lab"]);
		const sysctl = "com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.hop_limit=33";
		const options = ["name=lab", "driver-opt=com.docker.network.endpoint.ifname=front0", `driver-opt=${sysctl}`];
		const script = "ls /sys/class/net; cat /proc/sys/net/ipv6/conf/front0/hop_limit; ip -4 -o addr show dev front0";
		expect(await suite.sh(script, "--network", options.join(","))).toBe("front0\nlo\n33");
		const foreign = "name=lab,driver-opt=com.docker.network.endpoint.sysctls=net.ipv6.conf.all.forwarding=1";
		expect(await suite.refusal(["run", "--rm", "--network", foreign, "busybox", "true"])).toContain(
			"unrecognised network interface sysctl",
		);
	});

	test("publish ports, on the host address the network says", async () => {
		await suite.must(["network", "create", "-o", "com.docker.network.bridge.host_binding_ipv4=127.0.0.1", "lab"]);
		await suite.must(["run", "-d", "--name", "web", "--hostname", "web", "--network", "lab", "-p", "80", ...WEB]);
		const published = await suite.must(["port", "web", "80"]);
		expect(published).toMatch(/^127\.0\.0\.1:\d+$/);
		const page = await waitFor("the page", async () => {
			const response = await fetch(`http://${published}/`).catch(() => undefined);
			return response === undefined ? undefined : (await response.text()).trim();
		});
		expect(page).toBe("web");
	});

	test("have no way out of an internal network, and names stay inside", async () => {
		await suite.must(["network", "create", "--internal", "lab"]);
		await suite.must(["run", "-d", "--name", "web", "--network", "lab", ...WEB]);
		await suite.must(["run", "-d", "--name", "probe", "--network", "lab", ...SLEEP]);
		expect(await inside("probe", "wget -q -O - http://web/")).not.toBe("");
		const outside = await suite.run(["exec", "probe", "nslookup", "example.org"]);
		expect(outside.code).not.toBe(0);
		expect(outside.stdout).toContain("SERVFAIL");
	});
});

describe("several networks", () => {
	test("at once: an interface each, the way out by priority, then by name", async () => {
		for (const name of ["alpha", "beta"]) await suite.must(["network", "create", name]);
		// The first network named has eth0; the way out is alpha, by its name.
		expect(await suite.sh("ls /sys/class/net", "--network", "beta", "--network", "alpha")).toBe("eth0\neth1\nlo");
		expect(await suite.sh("ip route | grep default", "--network", "beta", "--network", "alpha")).toContain("eth1");
		expect(
			await suite.sh("ip route | grep default", "--network", "name=beta,gw-priority=5", "--network", "alpha"),
		).toContain("eth0");
	});

	test("come and go while the container runs, with names, routes, hosts and ports", async () => {
		for (const name of ["alpha", "beta"]) await suite.must(["network", "create", name]);
		await suite.must([
			"run",
			"-d",
			"--name",
			"web",
			"--hostname",
			"web",
			"--network",
			"beta",
			"-p",
			"127.0.0.1::80",
			...WEB,
		]);
		await suite.must(["run", "-d", "--name", "probe", "--network", "alpha", ...SLEEP]);
		const published = await suite.must(["port", "web", "80"]);
		const page = async () => (await (await fetch(`http://${published}/`, { keepalive: false })).text()).trim();
		expect(await waitFor("the page", () => page().catch(() => undefined))).toBe("web");

		await suite.must(["network", "connect", "--alias", "site", "alpha", "web"]);
		expect(await addresses("site")).toEqual([await ipOn("web", "alpha")]);
		expect(await inside("probe", "wget -q -O - http://site/")).toBe("web");
		expect(await inside("web", "ip route | grep default")).toContain("eth1");
		expect(await inside("web", "grep -c web /etc/hosts")).toBe("2");
		expect(await page()).toBe("web");
		expect(await suite.refusal(["network", "connect", "alpha", "web"])).toContain(
			"endpoint with name web already exists in network alpha",
		);

		await suite.must(["network", "disconnect", "beta", "web"]);
		expect(await inside("web", "ls /sys/class/net | tr '\\n' ' '; grep -c web /etc/hosts")).toBe("eth1 lo 1");
		expect(await page()).toBe("web");
		await suite.must(["network", "rm", "beta"]);

		await suite.must(["network", "disconnect", "alpha", "web"]);
		expect(await inside("web", "ls /sys/class/net; ip route | grep -c . || true")).toBe("lo\n0");
		expect((await suite.run(["exec", "probe", "nslookup", "site"])).code).not.toBe(0);
		await suite.must(["network", "connect", "alpha", "web"]);
		expect(await inside("web", "cat /sys/class/net/eth0/operstate")).toBe("up");
		expect(await page()).toBe("web");
	});

	test("are joined by a container that was only created, and by one of the default network", async () => {
		await suite.must(["network", "create", "lab"]);
		await suite.must(["create", "--name", "probe", ...SLEEP]);
		await suite.must(["network", "connect", "lab", "probe"]);
		await suite.must(["network", "disconnect", "bridge", "probe"]);
		await suite.must(["start", "probe"]);
		expect(await inside("probe", "ls /sys/class/net | tr '\\n' ' '")).toBe("eth0 lo ");
		await suite.must(["run", "-d", "--name", "late", ...SLEEP]);
		expect(await inside("late", "cat /etc/resolv.conf")).not.toContain("127.0.0.11");
		await suite.must(["network", "connect", "lab", "late"]);
		expect(await inside("late", "cat /etc/resolv.conf; nslookup -type=a probe")).toContain(await ipOn("probe", "lab"));
		expect(await addresses("late")).toEqual([await ipOn("late", "lab")]);
		await suite.must(["network", "disconnect", "lab", "late"]);
		expect(await inside("late", "cat /etc/resolv.conf")).not.toContain("127.0.0.11");
	});

	test("go with no other when they are the host's or none", async () => {
		await suite.must(["network", "create", "lab"]);
		await suite.must(["run", "-d", "--name", "alone", "--network", "none", ...SLEEP]);
		await suite.must(["run", "-d", "--name", "hosted", "--network", "host", ...SLEEP]);
		expect(await suite.refusal(["network", "connect", "lab", "alone"])).toContain("private (none) mode");
		expect(await suite.refusal(["network", "connect", "lab", "hosted"])).toContain("sharing network namespace");
		expect(await suite.refusal(["network", "connect", "host", "alone"])).toContain(
			"cannot connect container to host network",
		);
	});
});

describe("a daemon that dies", () => {
	test("leaves traffic alone; the next one answers for names again and knows every address", async () => {
		await suite.must(["network", "create", "lab"]);
		await suite.must(["network", "create", "second"]);
		await suite.must([
			"run",
			"-d",
			"--name",
			"web",
			"--hostname",
			"web",
			"--network",
			"lab",
			"-p",
			"127.0.0.1::80",
			...WEB,
		]);
		await suite.must(["run", "-d", "--name", "probe", "--network", "lab", ...SLEEP]);
		await suite.must(["network", "connect", "second", "web"]);
		const web = await ipOn("web", "lab");
		const published = await suite.must(["port", "web", "80"]);
		const page = async () => (await (await fetch(`http://${published}/`, { keepalive: false })).text()).trim();
		await waitFor("the page", () => page().catch(() => undefined));
		await suite.daemon.kill();
		const whileDown = await page().catch((error: unknown) => error);
		await suite.daemon.start();
		expect(whileDown).toBe("web");
		expect(await addresses("web")).toEqual([web]);
		expect(await page()).toBe("web");
		await suite.must(["run", "-d", "--name", "new", "--network", "lab", ...SLEEP]);
		expect([web, await ipOn("probe", "lab")]).not.toContain(await ipOn("new", "lab"));
		await suite.must(["network", "disconnect", "lab", "web"]);
		expect(await page()).toBe("web");
		expect(await suite.refusal(["network", "rm", "lab"])).toContain("active endpoints");
	});
});
