import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { PortMapping } from "../../../src/core/network/driver.ts";
import { addRouteRequest } from "../../../src/drivers/linux/addresses.ts";
import { openNetlinkIn } from "../../../src/drivers/linux/namespaces.ts";
import { askTcp, askUdp, HOST_ADDRESS, NetworkFixture, type Server, serveTcp, serveUdp } from "./network-fixture.ts";

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

const tcp = (hostPort: number, containerPort: number, hostAddress = "0.0.0.0"): PortMapping => ({
	protocol: "tcp",
	containerPort,
	hostAddress,
	hostPort,
});

describe("two containers on one bridge", () => {
	test("reach one another, their gateway and, from the host, are reached", async () => {
		const network = await fixture.addNetwork(1);
		const a = fixture.watch(await fixture.addContainer(network));
		const b = fixture.watch(await fixture.addContainer(network));
		const server = serve(b.namespaceFd, 80, "b");
		expect(await askTcp(a.namespaceFd, b.address, 80)).toBe("b");
		expect(await askTcp(undefined, b.address, 80)).toBe("b");
		expect(server.clients).toEqual([a.address, network.gateway]);
	});

	test("do not when inter-container traffic is off, not by way of the gateway either", async () => {
		const network = await fixture.addNetwork(1, { interContainer: false });
		const a = await fixture.addContainer(network);
		const b = await fixture.addContainer(network, [tcp(18480, 80)]);
		serve(b.namespaceFd, 80, "b");
		serve(b.namespaceFd, 81, "b81");
		expect(await askTcp(a.namespaceFd, b.address, 80)).toBeUndefined();
		expect(await askTcp(undefined, b.address, 81)).toBe("b81");
		expect(await askTcp(undefined, "127.0.0.1", 18480)).toBe("b");

		using inside = openNetlinkIn(a.namespaceFd);
		inside.request(addRouteRequest({ linkIndex: 2, gateway: network.gateway, destination: `${b.address}/32` }));
		expect(await askTcp(a.namespaceFd, b.address, 80)).toBeUndefined();
	});

	test("then reach what another one publishes through the sockets that hold the ports", async () => {
		const network = await fixture.addNetwork(1, { interContainer: false });
		const a = await fixture.addContainer(network);
		await fixture.addContainer(network, [tcp(18480, 80)]);
		const relay = Bun.listen({
			hostname: "0.0.0.0",
			port: 18480,
			socket: { open: (socket) => void socket.end("relay"), data() {} },
		});
		try {
			expect(await askTcp(a.namespaceFd, network.gateway, 18480)).toBe("relay");
		} finally {
			relay.stop(true);
		}
	});
});

describe("published TCP ports", () => {
	test("are reached on 127.0.0.1, on the host's addresses, from outside and from containers, themselves included", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1);
		const other = await fixture.addNetwork(2);
		const web = await fixture.addContainer(network, [tcp(18481, 80)]);
		const sibling = await fixture.addContainer(network);
		const stranger = await fixture.addContainer(other);
		const server = serve(web.namespaceFd, 80, "web");
		expect(await askTcp(undefined, "127.0.0.1", 18481)).toBe("web");
		expect(await askTcp(undefined, HOST_ADDRESS, 18481)).toBe("web");
		expect(await askTcp(undefined, network.gateway, 18481)).toBe("web");
		expect(await askTcp(outside, HOST_ADDRESS, 18481)).toBe("web");
		expect(await askTcp(sibling.namespaceFd, HOST_ADDRESS, 18481)).toBe("web");
		expect(await askTcp(sibling.namespaceFd, network.gateway, 18481)).toBe("web");
		expect(await askTcp(stranger.namespaceFd, HOST_ADDRESS, 18481)).toBe("web");
		expect(await askTcp(web.namespaceFd, HOST_ADDRESS, 18481)).toBe("web");
		// The outside client keeps its own address.
		expect(server.clients).toContain("10.213.250.2");
	});

	test("on one host address are reached there alone", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1);
		const web = await fixture.addContainer(network, [tcp(18482, 80, "127.0.0.1"), tcp(18483, 80, HOST_ADDRESS)]);
		serve(web.namespaceFd, 80, "web");
		expect(await askTcp(undefined, "127.0.0.1", 18482)).toBe("web");
		expect(await askTcp(undefined, HOST_ADDRESS, 18482)).toBeUndefined();
		expect(await askTcp(outside, HOST_ADDRESS, 18482)).toBeUndefined();
		expect(await askTcp(outside, HOST_ADDRESS, 18483)).toBe("web");
		expect(await askTcp(undefined, "127.0.0.1", 18483)).toBeUndefined();
	});

	test("stay while other containers come and go, and end with their own", async () => {
		const network = await fixture.addNetwork(1);
		const first = await fixture.addContainer(network, [tcp(18484, 80)]);
		const second = await fixture.addContainer(network, [tcp(18485, 80)]);
		serve(first.namespaceFd, 80, "first");
		serve(second.namespaceFd, 80, "second");
		await fixture.driver.removeSandbox(second.id);
		expect(await askTcp(undefined, "127.0.0.1", 18484)).toBe("first");
		expect(await askTcp(undefined, "127.0.0.1", 18485)).toBeUndefined();
		await fixture.driver.disconnect(network, first.id, first.endpointId);
		await fixture.driver.disconnect(network, first.id, first.endpointId);
		expect(await askTcp(undefined, "127.0.0.1", 18484)).toBeUndefined();
		for (let round = 0; round < 100 && "eth0" in (await fixture.driver.statistics(first.id)); round++)
			await Bun.sleep(20);
		expect(await fixture.driver.statistics(first.id)).toEqual({});
		expect((await fixture.driver.inventory()).endpoints).toEqual([]);
	});
});

describe("what is not published", () => {
	test("cannot be reached from outside or from another network", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1);
		const other = await fixture.addNetwork(2);
		const web = await fixture.addContainer(network, [tcp(18486, 80)]);
		const stranger = await fixture.addContainer(other);
		serve(web.namespaceFd, 80, "web");
		serve(web.namespaceFd, 81, "hidden");
		for (const port of [80, 81]) {
			expect(await askTcp(outside, web.address, port)).toBeUndefined();
			expect(await askTcp(stranger.namespaceFd, web.address, port)).toBeUndefined();
		}
	});

	test("the host's own loopback services cannot be reached from a container", async () => {
		const network = await fixture.addNetwork(1);
		const container = await fixture.addContainer(network);
		const listener = Bun.listen({
			hostname: "127.0.0.1",
			port: 18487,
			socket: { open: (socket) => void socket.end("host"), data() {} },
		});
		try {
			expect(await askTcp(undefined, "127.0.0.1", 18487)).toBe("host");
			using inside = openNetlinkIn(container.namespaceFd);

			// A hostile container can route 127.0.0.0/8 to its gateway.
			inside.request(addRouteRequest({ linkIndex: 2, gateway: network.gateway, destination: "127.0.0.2/32" }));
			expect(await askTcp(container.namespaceFd, "127.0.0.2", 18487)).toBeUndefined();
		} finally {
			listener.stop(true);
		}
	});
});

describe("the way out", () => {
	test("is by the host's address with masquerading", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1);
		const container = await fixture.addContainer(network);
		const server = serve(outside, 8000, "world");
		expect(await askTcp(container.namespaceFd, "10.213.250.2", 8000)).toBe("world");
		expect(server.clients).toEqual([HOST_ADDRESS]);
	});

	test("is by the container's own address without", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1, { masquerade: false });
		const container = await fixture.addContainer(network);
		const server = serve(outside, 8000, "world");
		expect(await askTcp(container.namespaceFd, "10.213.250.2", 8000)).toBe("world");
		expect(server.clients).toEqual([container.address]);
	});

	test("does not exist in an internal network, whatever route is set", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1, { internal: true });
		const a = await fixture.addContainer(network);
		const b = await fixture.addContainer(network);
		const server = serve(outside, 8000, "world");
		serve(b.namespaceFd, 80, "b");

		using inside = openNetlinkIn(a.namespaceFd);
		inside.request(addRouteRequest({ linkIndex: 2, gateway: network.gateway }));
		expect(await askTcp(a.namespaceFd, "10.213.250.2", 8000)).toBeUndefined();
		expect(server.clients).toEqual([]);
		expect(await askTcp(a.namespaceFd, b.address, 80)).toBe("b");
	});
});

describe("published UDP ports", () => {
	test("answer from the host, from outside and from a sibling", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1);
		const mapping: PortMapping = { protocol: "udp", containerPort: 53, hostAddress: "0.0.0.0", hostPort: 18453 };
		const dns = await fixture.addContainer(network, [mapping]);
		const sibling = await fixture.addContainer(network);
		servers.push(await serveUdp(dns.namespaceFd, 53, "dns"));
		expect(await askUdp(undefined, "127.0.0.1", 18453)).toBe("dns?");
		expect(await askUdp(outside, HOST_ADDRESS, 18453)).toBe("dns?");
		expect(await askUdp(sibling.namespaceFd, HOST_ADDRESS, 18453)).toBe("dns?");
	});

	test("lead a client that keeps its source port to the new container", async () => {
		const outside = fixture.outside();
		const network = await fixture.addNetwork(1);
		const mapping: PortMapping = { protocol: "udp", containerPort: 53, hostAddress: "0.0.0.0", hostPort: 18454 };
		const old = await fixture.addContainer(network, [mapping]);
		servers.push(await serveUdp(old.namespaceFd, 53, "old"));
		expect(await askUdp(outside, HOST_ADDRESS, 18454, 40001)).toBe("old?");
		await fixture.driver.removeSandbox(old.id);
		const next = await fixture.addContainer(network, [mapping]);
		servers.push(await serveUdp(next.namespaceFd, 53, "new"));
		expect(await askUdp(outside, HOST_ADDRESS, 18454, 40001)).toBe("new?");
	});
});

test("statistics count what went through the container's interface", async () => {
	const network = await fixture.addNetwork(1);
	const container = await fixture.addContainer(network);
	serve(container.namespaceFd, 80, "x".repeat(5_000));
	const before = (await fixture.driver.statistics(container.id))["eth0"];
	expect((await askTcp(undefined, container.address, 80))?.length).toBe(5_000);
	const after = (await fixture.driver.statistics(container.id))["eth0"];
	expect((after?.txBytes ?? 0) - (before?.txBytes ?? 0)).toBeGreaterThan(5_000);
	expect((after?.rxPackets ?? 0) - (before?.rxPackets ?? 0)).toBeGreaterThan(0);
});
