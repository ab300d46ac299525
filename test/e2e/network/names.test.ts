/** Network modes, names and files of the network, and the network verbs with a client. */
import { beforeAll, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { ClientSuite } from "../../support/client-suite.ts";

const suite = ClientSuite.use();
const OPTIONS = ["--hostname", "hh", "--domainname", "dd.ee", "--expose", "80-82", "-e", "SECRET=x"];

beforeAll(async () => {
	await suite.must(["run", "-d", "--name", "peer", ...OPTIONS, "busybox", "httpd", "-f", "-h", "/var/www"]);
});

const address = () => suite.must(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "peer"]);

describe("a container's names", () => {
	test("are in its files: host name, domain, address", async () => {
		const inside = (script: string) => suite.must(["exec", "peer", "sh", "-c", script]);
		expect(await inside("hostname; cat /etc/hostname; hostname -d")).toBe("hh\nhh\ndd.ee");
		expect(await inside("cat /etc/hosts")).toContain(`${await address()}\thh.dd.ee hh`);
		expect(await inside("cat /etc/hosts")).toContain("127.0.0.1\tlocalhost");
	});

	test("come from --add-host, host-gateway included", async () => {
		const hosts = ["--add-host", "a:1.2.3.4", "--add-host", "b=::1", "--add-host", "gw:host-gateway"];
		const lines = (await suite.must(["run", "--rm", ...hosts, "busybox", "cat", "/etc/hosts"])).split("\n");
		expect(lines).toContain("1.2.3.4\ta");
		expect(lines).toContain("::1\tb");
		expect(lines).toContain(`${await suite.must(["inspect", "-f", "{{.NetworkSettings.Gateway}}", "peer"])}\tgw`);
	});

	test("are looked up as --dns and its kin say", async () => {
		const options = ["--dns", "9.9.9.9", "--dns", "8.8.8.8", "--dns-search", "a.b", "--dns-option", "ndots:3"];
		const file = await suite.must(["run", "--rm", ...options, "busybox", "cat", "/etc/resolv.conf"]);
		expect(file.split("\n").filter((line) => !line.startsWith("#") && line !== "")).toEqual([
			...["nameserver 9.9.9.9", "nameserver 8.8.8.8", "search a.b", "options ndots:3"],
		]);
		const bare = await suite.must(["run", "--rm", "--dns-search", ".", "busybox", "cat", "/etc/resolv.conf"]);
		expect(bare).not.toContain("search");
	});

	test("of linked containers are hosts and variables", async () => {
		const script = "wget -q -O - http://al/ | head -1; env | grep AL_ | sort";
		const [page, ...variables] = (await suite.sh(script, "--link", "peer:al")).split("\n");
		expect(page).toBe("<!doctype html>");
		expect(variables).toContain(`AL_PORT=tcp://${await address()}:80`);
		expect(variables).toContain("AL_PORT_80_TCP_PORT_END=82");
		expect(variables).toContain("AL_ENV_SECRET=x");
		expect(await suite.refusal(["run", "--rm", "--link", "none:al", "busybox", "true"])).toContain(
			"could not get container for none: No such container: none",
		);
		await suite.must(["network", "create", "elsewhere"]);
		await suite.must(["run", "-d", "--name", "apart", "--network", "elsewhere", "busybox", "sleep", "1000"]);
		expect(await suite.refusal(["run", "--rm", "--link", "apart:al", "busybox", "true"])).toMatch(
			/container [0-9a-f]{64} not attached to default bridge network/,
		);
		await suite.must(["run", "-d", "--name", "wide", "--network", "host", "busybox", "sleep", "1000"]);
		expect(await suite.refusal(["create", "--link", "wide:al", "busybox"])).toContain(
			"conflicting options: host type networking can't be used with links.",
		);
		await suite.must(["rm", "-f", "apart", "wide"]);
		await suite.must(["network", "rm", "elsewhere"]);
	});
});

describe("network modes", () => {
	test("none has a loopback alone", async () => {
		const links = await suite.sh("ip -o link | cut -d: -f2; ip -4 -o addr | wc -l", "--network", "none");
		expect(links).toBe(" lo\n1");
	});

	test("host has the host's names and links", async () => {
		expect(await suite.sh("hostname; ls /sys/class/net", "--network", "host")).toContain(suite.daemon.bridge);
		expect(await suite.must(["run", "--rm", "--network", "host", "busybox", "hostname"])).toBe(hostname());
		expect(await suite.must(["run", "--rm", "--network", "host", "--hostname", "x", "busybox", "hostname"])).toBe("x");
	});

	test("container: shares links, addresses, names and files", async () => {
		const script = "hostname; wget -q -O - http://127.0.0.1/ | head -1; grep -c hh.dd.ee /etc/hosts";
		expect(await suite.sh(script, "--network", "container:peer")).toBe("hh\n<!doctype html>\n1");
		const join = (...options: string[]) =>
			suite.refusal(["run", "--rm", "--network", "container:peer", ...options, "busybox", "true"]);
		expect(await join("-p", "1:1")).toContain("port publishing and the container type network mode");
		expect(await join("--hostname", "x")).toContain("hostname and the network mode");
		expect(await join("--dns", "1.1.1.1")).toContain("dns and the network mode");
		expect(await join("--add-host", "a:1.1.1.1")).toContain("custom host-to-IP mapping and the network mode");
		expect(await join("--expose", "80")).toContain("port exposing and the container type network mode");
		const other = ["run", "--rm", "--network", "container:none", "busybox", "true"];
		expect(await suite.refusal(other)).toContain("joining network namespace of container: No such container: none");
	});

	test("that cannot be are refused", async () => {
		const refused = (...options: string[]) => suite.refusal(["run", "--rm", ...options, "busybox", "true"]);
		expect(await refused("--network", "nonet")).toContain(
			"failed to set up container networking: network nonet not found",
		);
		expect(await refused("--network", "bridge", "--network", "none")).toContain("private (none) mode");
		expect(await refused("--ip", "10.0.0.1")).toContain("supported on user defined networks only");
		expect(await refused("--network-alias", "x")).toContain("user-defined networks");
		expect(await refused("--mac-address", "bad")).toContain("bad");
		expect(await refused("--add-host", "a:bad")).toContain("bad");
	});

	test("a MAC address is as asked for", async () => {
		const cat = ["busybox", "cat", "/sys/class/net/eth0/address"];
		expect(await suite.must(["run", "--rm", "--mac-address", "02:42:ac:11:00:55", ...cat])).toBe("02:42:ac:11:00:55");
	});
});

describe("network verbs", () => {
	test("list and show the predefined networks", async () => {
		const names = await suite.must(["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]);
		expect(names).toBe("bridge bridge local\nhost host local\nnone null local");
		expect(await suite.must(["network", "ls", "-q", "-f", "type=custom"])).toBe("");
		const [bridge, none] = JSON.parse(await suite.must(["network", "inspect", "bridge", "none"]));
		expect(Object.values(bridge.Containers)).toMatchObject([{ Name: "peer", IPv4Address: `${await address()}/24` }]);
		expect(none.IPAM.Config).toBe(null);
		expect(await suite.refusal(["network", "inspect", "none-such"])).toContain("network none-such not found");
		expect(await suite.refusal(["network", "ls", "-f", "foo=1"])).toContain("invalid filter 'foo'");
	});

	test("leave the predefined networks alone", async () => {
		expect(await suite.refusal(["network", "rm", "bridge"])).toContain(
			"bridge is a pre-defined network and cannot be removed",
		);
		expect(await suite.refusal(["network", "rm", "none-such"])).toContain("network none-such not found");
		expect(await suite.must(["network", "prune", "-f"])).toBe("");
	});
});
