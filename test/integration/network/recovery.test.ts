import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { newId } from "../../../src/base/ids.ts";
import type { PortMapping } from "../../../src/core/network/driver.ts";
import { closeDescriptor } from "../../../src/drivers/linux/file-descriptors.ts";
import { findLinkIndex } from "../../../src/drivers/linux/links.ts";
import { openNamespace } from "../../../src/drivers/linux/namespaces.ts";
import { NetlinkSocket } from "../../../src/drivers/linux/netlink.ts";
import { Nftables } from "../../../src/drivers/linux/nftables.ts";
import { hostInterfaceName } from "../../../src/drivers/network-bridge/endpoint-link.ts";
import { waitFor } from "../../support/commands.ts";
import { askTcp, NetworkFixture, type Server, serveTcp } from "./network-fixture.ts";

let fixture: NetworkFixture;
let servers: Server[];

const openDescriptors = () => readdirSync("/proc/self/fd").length;

beforeEach(async () => {
	fixture = new NetworkFixture();
	servers = [];
	await fixture.start();
});

afterEach(async () => {
	for (const server of servers) server.stop();
	expect(await fixture.stop()).toEqual([]);
});

const tcp = (hostPort: number): PortMapping => ({
	protocol: "tcp",
	containerPort: 80,
	hostAddress: "0.0.0.0",
	hostPort,
});

test("a new daemon adopts what it is told to keep and removes the rest", async () => {
	const network = await fixture.addNetwork(1);
	const kept = await fixture.addContainer(network, [tcp(18601)]);
	const gone = fixture.watch(await fixture.addContainer(network, [tcp(18602)]));
	servers.push(serveTcp(kept.namespaceFd, 80, "kept"), serveTcp(gone.namespaceFd, 80, "gone"));
	await fixture.driver.close();

	fixture.driver = fixture.newDriver();
	await fixture.driver.initialize({ sandboxes: new Set([kept.id]), endpoints: new Set([kept.endpointId]) });
	// Before the network is declared again the running container already is, and still is, reachable.
	expect(await askTcp(undefined, "127.0.0.1", 18601)).toBe("kept");
	await fixture.driver.createNetwork(network);
	expect(await fixture.driver.inventory()).toEqual({ sandboxes: [kept.id], endpoints: [kept.endpointId] });
	expect(await askTcp(undefined, "127.0.0.1", 18601)).toBe("kept");
	expect(await askTcp(undefined, "127.0.0.1", 18602)).toBeUndefined();
	await fixture.driver.removeSandbox(kept.id);
	expect(await askTcp(undefined, "127.0.0.1", 18601)).toBeUndefined();
});

test("an endpoint that goes while its sandbox stays loses its interface", async () => {
	const network = await fixture.addNetwork(1);
	const container = await fixture.addContainer(network);
	await fixture.driver.close();
	fixture.driver = fixture.newDriver();
	await fixture.driver.initialize({ sandboxes: new Set([container.id]), endpoints: new Set() });
	expect(await fixture.driver.statistics(container.id)).toEqual({});
});

test("a port passes from an endpoint that died to the next one, and the dead one's removal does not take it away", async () => {
	const network = await fixture.addNetwork(1);
	const dead = await fixture.addContainer(network, [tcp(18603)]);
	const heir = await fixture.addContainer(network, [tcp(18603)]);
	servers.push(serveTcp(heir.namespaceFd, 80, "heir"));
	expect(await askTcp(undefined, "127.0.0.1", 18603)).toBe("heir");
	await fixture.driver.removeSandbox(dead.id);
	expect(await askTcp(undefined, "127.0.0.1", 18603)).toBe("heir");
});

test("after somebody flushed the ruleset, the next change puts everything back", async () => {
	const network = await fixture.addNetwork(1);
	const first = await fixture.addContainer(network, [tcp(18604)]);
	servers.push(serveTcp(first.namespaceFd, 80, "first"));
	using nftables = new Nftables();
	nftables.run(`delete table ip ${fixture.tableName}`);
	expect(await askTcp(undefined, "127.0.0.1", 18604)).toBeUndefined();
	await fixture.addContainer(network, [tcp(18605)]);
	expect(await askTcp(undefined, "127.0.0.1", 18604)).toBe("first");
});

test("a stop disconnects and removes the sandbox; a daemon that dies in between leaves the rest to the next", async () => {
	const network = await fixture.addNetwork(1);
	const stopped = fixture.watch(await fixture.addContainer(network, [tcp(18614)]));
	await fixture.driver.disconnect(network, stopped.id, stopped.endpointId);
	await fixture.driver.removeSandbox(stopped.id);
	expect(readdirSync(`${fixture.directory}/endpoints`)).toEqual([]);
	const killed = fixture.watch(await fixture.addContainer(network, [tcp(18615)]));
	await fixture.driver.disconnect(network, killed.id, killed.endpointId);
	await fixture.driver.close();
	fixture.driver = fixture.newDriver();
	await fixture.start();
	expect(await fixture.driver.inventory()).toEqual({ sandboxes: [], endpoints: [] });
});

test("a disconnected endpoint can be connected again at once", async () => {
	const network = await fixture.addNetwork(1);
	const container = await fixture.addContainer(network);
	await fixture.driver.disconnect(network, container.id, container.endpointId);
	await fixture.driver.connect(network, container.sandbox, {
		endpointId: newId(),
		containerId: container.id,
		interfaceName: "eth0",
		address: `${container.address}/24`,
		macAddress: "02:42:0a:d5:01:98",
		gateway: network.gateway,
		mappings: [tcp(18616)],
	});
	servers.push(serveTcp(container.namespaceFd, 80, "back"));
	await Bun.sleep(150);
	expect(await askTcp(undefined, "127.0.0.1", 18616)).toBe("back");
});

test("removal goes on where a crash left it: element, link or namespace already gone", async () => {
	const network = await fixture.addNetwork(1);
	const other = await fixture.addContainer(network, [tcp(18607)]);
	servers.push(serveTcp(other.namespaceFd, 80, "other"));
	const container = await fixture.addContainer(network, [tcp(18606)]);
	using nftables = new Nftables();
	nftables.run(`delete element ip ${fixture.tableName} published { tcp . 18606 }`);
	Bun.spawnSync(["ip", "link", "delete", `veth${container.endpointId.slice(0, 11)}`]);
	await fixture.driver.removeSandbox(container.id);
	await fixture.driver.removeSandbox(container.id);
	expect(await askTcp(undefined, "127.0.0.1", 18607)).toBe("other");
});

test("a state file that was cut off is removed at the next start", async () => {
	await fixture.driver.close();
	writeFileSync(`${fixture.directory}/endpoints/${newId()}.json`, '{"endpointId":"x');
	writeFileSync(`${fixture.directory}/endpoints/x.json.new`, "");
	fixture.driver = fixture.newDriver();
	await fixture.start();
	expect(readdirSync(`${fixture.directory}/endpoints`)).toEqual([]);
});

test("connecting twice ends with one working endpoint", async () => {
	const network = await fixture.addNetwork(1);
	const container = await fixture.addContainer(network, [tcp(18608)]);
	await fixture.driver.connect(network, container.sandbox, {
		endpointId: container.endpointId,
		containerId: container.id,
		interfaceName: "eth0",
		address: `${container.address}/24`,
		macAddress: "02:42:0a:d5:01:99",
		gateway: network.gateway,
		mappings: [tcp(18608)],
	});
	servers.push(serveTcp(container.namespaceFd, 80, "again"));
	expect(await askTcp(undefined, "127.0.0.1", 18608)).toBe("again");
});

test("a failed connect leaves nothing behind", async () => {
	const network = await fixture.addNetwork(1);
	const container = await fixture.addContainer(network);
	const endpointId = newId();
	const plan = {
		endpointId,
		containerId: container.id,
		interfaceName: "eth1",
		address: "10.213.1.77/24",
		macAddress: "00:00:00:00:00:00",
		mappings: [tcp(18609)],
	};
	await expect(fixture.driver.connect(network, { ...container.sandbox, path: "/nonexistent" }, plan)).rejects.toThrow(
		`failed to connect to bridge ${network.bridge}`,
	);
	using host = new NetlinkSocket();
	expect(findLinkIndex(host, `veth${endpointId.slice(0, 11)}`)).toBeUndefined();
	expect(existsSync(`${fixture.directory}/endpoints/${endpointId}.json`)).toBe(false);
	expect((await fixture.driver.inventory()).endpoints).toEqual([container.endpointId]);
});

test("containers come and go without leaking descriptors, sandboxes made ahead included", async () => {
	const network = await fixture.addNetwork(1);
	const cycle = async () => {
		const container = await fixture.addContainer(network, [tcp(18613)]);
		await fixture.driver.statistics(container.id);
		await fixture.driver.removeSandbox(container.id);
	};
	await cycle();
	await Bun.sleep(100);
	const before = openDescriptors();
	for (let round = 0; round < 20; round++) await cycle();
	await Bun.sleep(200);
	// The fixture itself keeps one descriptor of each container's namespace.
	expect(openDescriptors()).toBe(before + 20);
});

test("a bridge is brought back to what the network says", async () => {
	const network = await fixture.addNetwork(1);
	await fixture.addContainer(network);
	Bun.spawnSync(["ip", "address", "flush", "dev", network.bridge]);
	Bun.spawnSync(["ip", "link", "set", network.bridge, "down", "mtu", "1400"]);
	const moved = { ...network, subnet: "10.213.9.0/24", gateway: "10.213.9.1" };
	await fixture.driver.createNetwork(moved);
	await fixture.driver.createNetwork(network);
	expect(await fixture.driver.occupiedSubnets()).toContain("10.213.1.0/24");
	expect(await fixture.driver.occupiedSubnets()).not.toContain("10.213.9.0/24");
});

test("an interface that is no bridge is not taken for one", async () => {
	await expect(fixture.driver.createNetwork(fixture.network(3, { bridge: "lo" }))).rejects.toThrow(
		"existing interface lo is not a bridge",
	);
});

test("IPv6 containers reach one another and publish on the host's IPv6 addresses", async () => {
	const network = await fixture.addNetwork(1, { subnet6: "fd00:213:1::/64", gateway6: "fd00:213:1::1" });
	const mapping: PortMapping = { protocol: "tcp", containerPort: 80, hostAddress: "::", hostPort: 18610 };
	const web = await fixture.addContainer(network, [mapping], "fd00:213:1::2/64");
	const client = await fixture.addContainer(network, [], "fd00:213:1::3/64");
	servers.push(serveTcp(web.namespaceFd, 80, "six", "::"));
	// The kernel makes IPv6 ready on a link that has just come up within a second, not at once.
	expect(await waitFor("an answer", () => askTcp(client.namespaceFd, "fd00:213:1::2", 80))).toBe("six");
	expect(await askTcp(undefined, "fd00:213:1::2", 80)).toBe("six");
	expect(await askTcp(undefined, "fd00:213:1::1", 18610)).toBe("six");
	expect(await askTcp(client.namespaceFd, "fd00:213:1::1", 18610)).toBe("six");
});

test("two daemons side by side do not see each other's state", async () => {
	const second = new NetworkFixture();
	await second.start();
	const a = await fixture.addContainer(await fixture.addNetwork(1), [tcp(18611)]);
	const b = await second.addContainer(await second.addNetwork(2), [tcp(18612)]);
	servers.push(serveTcp(a.namespaceFd, 80, "a"), serveTcp(b.namespaceFd, 80, "b"));
	expect(await askTcp(undefined, "127.0.0.1", 18612)).toBe("b");
	expect(await askTcp(a.namespaceFd, b.address, 80)).toBeUndefined();
	expect(await second.stop()).toEqual([]);
	expect(await askTcp(undefined, "127.0.0.1", 18611)).toBe("a");
});

test("an interface goes although something else still holds its namespace", async () => {
	const network = await fixture.addNetwork(1);
	const container = await fixture.addContainer(network);
	const held = openNamespace(container.sandbox.path);
	try {
		await fixture.driver.removeSandbox(container.id);
		using netlink = new NetlinkSocket();
		const name = hostInterfaceName(container.endpointId);
		await waitFor("the interface to go", () => findLinkIndex(netlink, name) === undefined);
	} finally {
		closeDescriptor(held);
	}
});
