/** Networks on an interface of the host: containers that are hosts of their own on its wire. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCommand, waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";
import { NetworkHost, OUTSIDE_ADDRESS } from "../../support/network-host.ts";

let host: NetworkHost;
let daemon: TestDaemon;
const WEB = ["busybox", "httpd", "-f", "-h", "/var/www"];
const PAGE = "<!doctype html>";

beforeAll(async () => {
	host = await NetworkHost.create();
	daemon = await TestDaemon.start({ wrapper: host.wrapper });
	await daemon.loadBusybox();
}, 60_000);
afterAll(async () => {
	try {
		await daemon.remove();
	} finally {
		await host[Symbol.asyncDispose]();
	}
});

const must = (...args: string[]) => (dockerClient === undefined ? daemon.mustGantry(args) : daemon.mustDocker(args));
const refused = async (...args: string[]) => (await daemon.gantry(args)).stderr;
const onWire = ["--subnet", "192.0.2.0/24", "--ip-range", "192.0.2.128/25"];
const addressOf = (container: string, network: string) =>
	must("inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);
const links = () => host.run("ip", "-br", "link");

describe("macvlan", () => {
	test("puts containers on the wire with addresses of their own; ports need no publishing", async () => {
		await must(
			"network",
			"create",
			"-d",
			"macvlan",
			"-o",
			`parent=${host.uplink}`,
			...onWire,
			"--gateway",
			OUTSIDE_ADDRESS,
			"wire",
		);
		await must("run", "-d", "--name", "web", "--network", "wire", ...WEB);
		await must("run", "-d", "--name", "probe", "--network", "wire", "--ip", "192.0.2.99", "busybox", "sleep", "1000");
		const address = await addressOf("web", "wire");
		expect(address).toBe("192.0.2.128");
		expect(await waitFor("the page", () => host.page(`http://${address}/`))).toBe(PAGE);
		// Neighbours by name, the world by the gateway that was given.
		expect(await must("exec", "probe", "wget", "-q", "-O", "-", "http://web/")).toStartWith(PAGE);
		expect(await must("exec", "probe", "ip", "route")).toContain(`default via ${OUTSIDE_ADDRESS}`);
		expect(await must("exec", "probe", "ip", "-o", "addr", "show", "eth0")).toContain("192.0.2.99/24");
		await must("restart", "-t", "0", "web");
		expect(await waitFor("the page", async () => host.page(`http://${await addressOf("web", "wire")}/`))).toBe(PAGE);
	});

	test("is joined and left while the container runs, beside a bridge, and survives the daemon", async () => {
		await must("run", "-d", "--name", "two", "busybox", "sleep", "1000");
		await must("network", "connect", "--ip", "192.0.2.77", "wire", "two");
		const ping = async () => (await host.outside("busybox", "ping", "-c", "1", "-W", "1", "192.0.2.77")).code === 0;
		await waitFor("an echo", ping);
		await daemon.kill();
		await daemon.start();
		expect(await ping()).toBe(true);
		await must("network", "disconnect", "wire", "two");
		expect(await ping()).toBe(false);
		expect(await must("exec", "two", "ls", "/sys/class/net")).not.toContain("eth1");
		expect(await refused("network", "rm", "wire")).toContain("active endpoints");
		await must("rm", "-f", "web", "probe", "two");
		await must("network", "rm", "wire");
		expect(await links()).toContain(host.uplink);
	});

	test("without a gateway has no way out; without a parent it is on its own", async () => {
		await must("network", "create", "-d", "macvlan", "--ipv6", "alone");
		await must("run", "-d", "--name", "aa", "--network", "alone", ...WEB);
		await must("run", "-d", "--name", "bb", "--network", "alone", "busybox", "sleep", "1000");
		expect(await must("exec", "bb", "ip", "route")).not.toContain("default");
		expect(
			await waitFor(
				"the page",
				async () => (await daemon.gantry(["exec", "bb", "wget", "-q", "-O", "-", "http://aa/"])).stdout,
			),
		).toStartWith(PAGE);
		expect(await links()).toContain("dm-");
		await must("rm", "-f", "aa", "bb");
		await must("network", "rm", "alone");
		expect(await links()).not.toMatch(/d[mp]-/);
	});

	test("passthru is one container's alone, again after its restart", async () => {
		await must(
			"network",
			"create",
			"-d",
			"macvlan",
			"-o",
			`parent=${host.uplink}`,
			"-o",
			"macvlan_mode=passthru",
			...onWire,
			"all",
		);
		await must("run", "-d", "--name", "aa", "--network", "all", "busybox", "sleep", "1000");
		expect(await refused("run", "--rm", "--network", "all", "busybox", "true")).toContain(
			"failed to connect to macvlan",
		);
		await must("restart", "-t", "0", "aa");
		expect(await must("exec", "aa", "ip", "-o", "addr", "show", "eth0")).toContain("192.0.2.1");
		await must("rm", "-f", "aa");
		await must("network", "rm", "all");
	});

	test("private keeps neighbours apart", async () => {
		await must(
			"network",
			"create",
			"-d",
			"macvlan",
			"-o",
			`parent=${host.uplink}`,
			"-o",
			"macvlan_mode=private",
			...onWire,
			"apart",
		);
		await must("run", "-d", "--name", "aa", "--network", "apart", ...WEB);
		const address = await addressOf("aa", "apart");
		expect(await waitFor("the page", () => host.page(`http://${address}/`))).toBe(PAGE);
		const neighbour = [
			"run",
			"--rm",
			"--network",
			"apart",
			"busybox",
			"wget",
			"-q",
			"-T",
			"2",
			"-O",
			"-",
			`http://${address}/`,
		];
		expect((await daemon.gantry(neighbour)).code).not.toBe(0);
		await must("rm", "-f", "aa");
		await must("network", "rm", "apart");
	});
});

test("what the kernel or the host has not is said clearly, with nothing half-made", async () => {
	const create = (...args: string[]) => refused("network", "create", ...args, "none-such");
	expect(await create("-d", "macvlan", "-o", "parent=nope")).toContain("invalid subinterface vlan name nope");
	expect(await create("-d", "macvlan", "-o", "parent=nope.5")).toContain(
		"-o parent interface was not found on the host: nope",
	);
	expect(await create("-d", "macvlan", "-o", "macvlan_mode=x")).toContain("requested macvlan mode 'x' is not valid");
	const hasIpvlan = await kernelHas("ipvlan");
	const hasVlan = await kernelHas("vlan", "id", "5");
	if (!hasIpvlan) expect(await create("-d", "ipvlan")).toContain("the kernel of this machine has no ipvlan interfaces");
	if (!hasVlan) expect(await create("-d", "macvlan", "-o", `parent=${host.uplink}.5`)).toContain("no VLAN interfaces");
	expect(await must("network", "ls", "-q", "-f", "type=custom")).toBe("");
});

async function kernelHas(kind: string, ...more: string[]): Promise<boolean> {
	const argv = [...host.wrapper, "ip", "link", "add", "link", host.uplink, "name", "probe0", "type", kind, ...more];
	const { code } = await runCommand(argv);
	if (code === 0) await host.run("ip", "link", "delete", "probe0");
	return code === 0;
}

test.each(["ipvlan", "vlan"])("%s on a kernel that has it", async (kind) => {
	const isThere = await kernelHas(kind, ...(kind === "vlan" ? ["id", "7"] : []));
	if (!isThere) {
		console.log(`skipped: this kernel has no ${kind} interfaces`);
		return;
	}
	const options =
		kind === "vlan" ? ["-d", "macvlan", "-o", `parent=${host.uplink}.7`] : ["-d", kind, "-o", `parent=${host.uplink}`];
	await must("network", "create", ...options, ...onWire, "there");
	expect(await must("run", "--rm", "--network", "there", "busybox", "ip", "addr")).toContain("192.0.2.128");
	await must("network", "rm", "there");
	expect(await links()).not.toContain(`${host.uplink}.7`);
});
