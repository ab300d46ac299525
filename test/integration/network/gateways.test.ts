/** Ways in and out of a network: gateway modes, default routes that change, ports that move. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { newId } from "../../../src/base/ids.ts";
import type { PortMapping } from "../../../src/core/network/driver.ts";
import { addRouteRequest, listAddresses, listRoutes } from "../../../src/drivers/linux/addresses.ts";
import { findLinkIndex } from "../../../src/drivers/linux/links.ts";
import { openNetlinkIn } from "../../../src/drivers/linux/namespaces.ts";
import { NetlinkSocket } from "../../../src/drivers/linux/netlink.ts";
import {
	askTcp,
	HOST_ADDRESS,
	NetworkFixture,
	OUTSIDE_ADDRESS,
	type Server,
	serveTcp,
	type TestContainer,
	type TestNetwork,
} from "./network-fixture.ts";

let fixture: NetworkFixture;
let servers: Server[];

beforeEach(async () => {
	fixture = new NetworkFixture();
	servers = [];
	await fixture.start();
});

afterEach(async () => {
	for (const server of servers) server.stop();
	expect(await fixture.stop()).toEqual([]);
});

function serve(namespaceFd: number, port: number, text: string): Server {
	const server = serveTcp(namespaceFd, port, text);
	servers.push(server);
	return server;
}

const tcp = (hostPort: number, containerPort = 80): PortMapping => ({
	protocol: "tcp",
	containerPort,
	hostAddress: "0.0.0.0",
	hostPort,
});

/** Adds the container to one more network. */
async function join(container: TestContainer, network: TestNetwork, host: number): Promise<string> {
	const endpointId = newId();
	await fixture.driver.connect(network, container.sandbox, {
		endpointId,
		containerId: container.id,
		interfaceName: "eth1",
		address: network.gateway.replace(/1$/, `${host}/24`),
		macAddress: `02:42:0a:d5:02:${host.toString(16).padStart(2, "0")}`,
		mappings: [],
	});
	return endpointId;
}

describe("gateway mode", () => {
	test("nat-unprotected lets everybody in who has a route", async () => {
		const network = await fixture.addNetwork(1, { gatewayMode: "nat-unprotected" });
		const a = await fixture.addContainer(network);
		serve(a.namespaceFd, 80, "a");
		expect(await askTcp(fixture.outside(), a.address, 80)).toBe("a");
		const back = serve(fixture.outside(), 90, "out");
		expect(await askTcp(a.namespaceFd, OUTSIDE_ADDRESS, 90)).toBe("out");
		expect(back.clients).toEqual([HOST_ADDRESS]);
	});

	test("routed lets in to published ports alone, at the container's own address, and out untranslated", async () => {
		const network = await fixture.addNetwork(1, { gatewayMode: "routed" });
		const a = await fixture.addContainer(network, [tcp(0)]);
		const seen = serve(a.namespaceFd, 80, "a");
		serve(a.namespaceFd, 81, "a81");
		expect(await askTcp(fixture.outside(), a.address, 80)).toBe("a");
		expect(seen.clients).toEqual([OUTSIDE_ADDRESS]);
		expect(await askTcp(fixture.outside(), a.address, 81)).toBeUndefined();
		const back = serve(fixture.outside(), 90, "out");
		expect(await askTcp(a.namespaceFd, OUTSIDE_ADDRESS, 90)).toBe("out");
		expect(back.clients).toEqual([a.address]);
		await fixture.driver.publish(a.endpointId, []);
		expect(await askTcp(fixture.outside(), a.address, 80)).toBeUndefined();
	});

	test("isolated gives the host no address, and the containers one another", async () => {
		const { gateway, ...isolated } = fixture.network(1, { gatewayMode: "isolated", internal: true });
		await fixture.driver.createNetwork(isolated);
		const bridged = { ...isolated, gateway };
		const [a, b] = [await fixture.addContainer(bridged), await fixture.addContainer(bridged)];
		serve(b.namespaceFd, 80, "b");
		expect(await askTcp(a.namespaceFd, b.address, 80)).toBe("b");
		using host = new NetlinkSocket();
		const linkIndex = findLinkIndex(host, isolated.bridge);
		expect(listAddresses(host).filter((address) => address.linkIndex === linkIndex)).toEqual([]);
		await fixture.driver.removeSandbox(a.id);
		await fixture.driver.removeSandbox(b.id);
		await fixture.driver.removeNetwork(isolated);
	});

	test("nat with a source address of its own leaves by that one", async () => {
		const network = await fixture.addNetwork(1, { sourceAddress: HOST_ADDRESS });
		const a = await fixture.addContainer(network);
		const back = serve(fixture.outside(), 90, "out");
		expect(await askTcp(a.namespaceFd, OUTSIDE_ADDRESS, 90)).toBe("out");
		expect(back.clients).toEqual([HOST_ADDRESS]);
	});

	test("containers kept apart stay apart in every mode", async () => {
		const network = await fixture.addNetwork(1, { gatewayMode: "nat-unprotected", interContainer: false });
		const [a, b] = [await fixture.addContainer(network), await fixture.addContainer(network)];
		serve(b.namespaceFd, 80, "b");
		// Not by way of the gateway either.
		using inside = openNetlinkIn(a.namespaceFd);
		const linkIndex = findLinkIndex(inside, "eth0") ?? 0;
		inside.request(addRouteRequest({ linkIndex, gateway: network.gateway, destination: `${b.address}/32` }));
		expect(await askTcp(a.namespaceFd, b.address, 80)).toBeUndefined();
		expect(await askTcp(fixture.outside(), b.address, 80)).toBe("b");
	});
});

describe("a container on two networks", () => {
	test("goes out by the one it is told, by either, or by none", async () => {
		const [first, second] = [await fixture.addNetwork(1), await fixture.addNetwork(2)];
		const a = await fixture.addContainer(first);
		await join(a, second, 77);
		const routes = () => {
			using inside = openNetlinkIn(a.namespaceFd);
			return listRoutes(inside).flatMap(({ destination, gateway }) => (destination === "0.0.0.0/0" ? gateway : []));
		};
		expect(routes()).toEqual([first.gateway]);
		for (let round = 0; round < 2; round++) {
			await fixture.driver.setGateways(a.sandbox, { v4: { interfaceName: "eth1", gateway: second.gateway } });
			expect(routes()).toEqual([second.gateway]);
		}
		await fixture.driver.setGateways(a.sandbox, { v4: { interfaceName: "eth0", gateway: first.gateway } });
		expect(routes()).toEqual([first.gateway]);
		await fixture.driver.setGateways(a.sandbox, {});
		await fixture.driver.setGateways(a.sandbox, {});
		expect(routes()).toEqual([]);
	});

	test("keeps its published port when the endpoint that has it changes, and loses it with the last", async () => {
		const [first, second] = [await fixture.addNetwork(1), await fixture.addNetwork(2)];
		const a = await fixture.addContainer(first, [tcp(18700)]);
		const other = await join(a, second, 77);
		serve(a.namespaceFd, 80, "a");
		expect(await askTcp(undefined, "127.0.0.1", 18700)).toBe("a");
		await fixture.driver.publish(other, [tcp(18700)]);
		await fixture.driver.publish(a.endpointId, []);
		await fixture.driver.disconnect(first, a.id, a.endpointId, { wait: true });
		using inside = openNetlinkIn(a.namespaceFd);
		expect(findLinkIndex(inside, "eth0")).toBeUndefined();
		expect(await askTcp(undefined, "127.0.0.1", 18700)).toBe("a");
		await fixture.driver.publish(other, []);
		expect(await askTcp(undefined, "127.0.0.1", 18700)).toBeUndefined();
		await expect(fixture.driver.publish("gone", [])).rejects.toThrow("endpoint gone not found");
	});
});

test("networks do not reach one another, but for what is published", async () => {
	const [first, second] = [await fixture.addNetwork(1), await fixture.addNetwork(2)];
	const a = await fixture.addContainer(first);
	const b = await fixture.addContainer(second, [tcp(18701)]);
	serve(b.namespaceFd, 80, "b");
	expect(await askTcp(a.namespaceFd, b.address, 80)).toBeUndefined();
	expect(await askTcp(a.namespaceFd, first.gateway, 18701)).toBe("b");
});

test("a bridge that was there before stays when its network goes", async () => {
	const network = fixture.network(1);
	Bun.spawnSync(["ip", "link", "add", network.bridge, "type", "bridge"]);
	using host = new NetlinkSocket();
	try {
		await fixture.driver.createNetwork(network);
		await fixture.driver.removeNetwork(network);
		expect(findLinkIndex(host, network.bridge)).toBeDefined();
	} finally {
		Bun.spawnSync(["ip", "link", "delete", network.bridge]);
	}
});
