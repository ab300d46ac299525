/** The host's own firewall and ours: its input chains decide about published ports, and ours comes back when it is flushed. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { silentLogger } from "../../../src/base/logger.ts";
import type { PortMapping } from "../../../src/core/network/driver.ts";
import { inNetworkNamespace } from "../../../src/drivers/linux/namespaces.ts";
import { Nftables } from "../../../src/drivers/linux/nftables.ts";
import { Firewall } from "../../../src/drivers/network-bridge/firewall.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import {
	askTcp,
	askUdp,
	HOST_ADDRESS,
	NetworkFixture,
	OUTSIDE_ADDRESS,
	type Server,
	serveTcp,
	serveUdp,
} from "./network-fixture.ts";

let fixture: NetworkFixture;
let servers: Server[];
let nftables: Nftables;
/** A table of "the administrator's". It names nothing but ports of this test: the rest of the machine must not notice. */
const HOST_TABLE = "inet gantry-test-host";

beforeEach(async () => {
	fixture = new NetworkFixture();
	servers = [];
	nftables = new Nftables();
	await fixture.start();
	hostRules();
});

afterEach(async () => {
	for (const server of servers) server.stop();
	nftables.run(`add table ${HOST_TABLE}; delete table ${HOST_TABLE}`);
	nftables.close();
	expect(await fixture.stop()).toEqual([]);
});

function hostRules(...input: readonly string[]): void {
	nftables.run(
		[
			`add table ${HOST_TABLE}`,
			`delete table ${HOST_TABLE}`,
			`add table ${HOST_TABLE}`,
			`add chain ${HOST_TABLE} in { type filter hook input priority 0; }`,
			...input.map((rule) => `add rule ${HOST_TABLE} in ${rule}`),
			"",
		].join("\n"),
	);
}

const published = (hostPort: number, protocol: "tcp" | "udp" = "tcp", hostAddress = "0.0.0.0"): PortMapping => ({
	protocol,
	containerPort: 80,
	hostAddress,
	hostPort,
});

describe("an input chain of the host's", () => {
	test("closes a published port to the outside, and opens it to whom it wants; the sender's address is kept", async () => {
		const network = await fixture.addNetwork(1);
		const web = await fixture.addContainer(network, [published(18701), published(18702, "tcp", HOST_ADDRESS)]);
		const sibling = await fixture.addContainer(network);
		const server = serveTcp(web.namespaceFd, 80, "web");
		servers.push(server);
		const outside = fixture.outside();
		const ask = (port: number) => askTcp(outside, HOST_ADDRESS, port);
		expect(await ask(18701)).toBe("web");
		expect(server.clients).toEqual([OUTSIDE_ADDRESS]);
		hostRules("tcp dport { 18701, 18702 } drop");
		expect(await ask(18701)).toBeUndefined();
		expect(await ask(18702)).toBeUndefined();
		// Those who are inside already are asked nothing.
		expect(await askTcp(undefined, "127.0.0.1", 18701)).toBe("web");
		expect(await askTcp(sibling.namespaceFd, HOST_ADDRESS, 18701)).toBe("web");
		hostRules(
			`ip saddr ${OUTSIDE_ADDRESS} iifname "gt*" ct state new tcp dport 18701 accept`,
			"tcp dport { 18701, 18702 } drop",
		);
		expect(await ask(18701)).toBe("web");
		expect(server.clients.at(-1)).toBe(OUTSIDE_ADDRESS);
		expect(await ask(18702)).toBeUndefined();
	});

	test("decides about UDP as well; a first datagram in fragments gets through whole", async () => {
		const network = await fixture.addNetwork(1);
		const echo = await fixture.addContainer(network, [published(18703, "udp")]);
		servers.push(await serveUdp(echo.namespaceFd, 80, "echo "));
		const outside = fixture.outside();
		hostRules("udp dport 18703 drop");
		expect(await askUdp(outside, HOST_ADDRESS, 18703)).toBeUndefined();
		hostRules();
		expect(await askUdp(outside, HOST_ADDRESS, 18703)).toBe("echo ?");
		const big = await inNetworkNamespace(outside, () => {
			const { promise, resolve } = Promise.withResolvers<number>();
			return Bun.udpSocket({ hostname: "0.0.0.0", socket: { data: (_, data) => resolve(data.length) } }).then(
				(socket) => ({
					socket,
					promise,
				}),
			);
		});
		big.socket.send(Buffer.alloc(5000), 18703, HOST_ADDRESS);
		expect(await Promise.race([big.promise, Bun.sleep(2000)])).toBe(5005);
		big.socket.close();
	});

	test("decides about IPv6 as well", async () => {
		const outside = fixture.outside();
		const link = `gt${fixture.tag}out`;
		await mustRun(["ip", "addr", "add", "fd00:213:fa::1/64", "dev", link, "nodad"]);
		inNetworkNamespace(outside, () =>
			Bun.spawnSync(["ip", "addr", "add", "fd00:213:fa::2/64", "dev", "eth0", "nodad"]),
		);
		const network = await fixture.addNetwork(1, { subnet6: "fd00:213:1::/64", gateway6: "fd00:213:1::1" });
		const web = await fixture.addContainer(network, [published(18704, "tcp", "::")], "fd00:213:1::2/64");
		const server = serveTcp(web.namespaceFd, 80, "six", "::");
		servers.push(server);
		const ask = () => askTcp(outside, "fd00:213:fa::1", 18704);
		expect(await waitFor("an answer", ask)).toBe("six");
		expect(server.clients.at(-1)).toBe("fd00:213:fa::2");
		hostRules("tcp dport 18704 drop");
		expect(await ask()).toBeUndefined();
	});

	test("is not asked where the operator says so", async () => {
		const bare = new NetworkFixture({ gate: false });
		await bare.start();
		const network = await bare.addNetwork(2);
		const web = await bare.addContainer(network, [published(18705)]);
		servers.push(serveTcp(web.namespaceFd, 80, "open"));
		hostRules("tcp dport 18705 drop");
		expect(await askTcp(bare.outside(), HOST_ADDRESS, 18705)).toBe("open");
		expect(bare.driver.asksHostFirewall).toBe(false);
		expect(await bare.stop()).toEqual([]);
	});
});

describe("tables that somebody changes", () => {
	const isWhole = async () => (await mustRun(["nft", "list", "table", "ip", fixture.tableName])).includes("18706");

	test("come back at once, and connections go on; others' tables stay as they are", async () => {
		const network = await fixture.addNetwork(1);
		const web = await fixture.addContainer(network, [published(18706)]);
		servers.push(serveTcp(web.namespaceFd, 80, "web"));
		hostRules("tcp dport 18799 drop");
		for (const family of ["ip", "ip6"]) await mustRun(["nft", "delete", "table", family, fixture.tableName]);
		await waitFor("the tables", () => isWhole().catch(() => false));
		expect(await askTcp(fixture.outside(), HOST_ADDRESS, 18706)).toBe("web");
		expect(await mustRun(["nft", "list", "table", ...HOST_TABLE.split(" ")])).toContain("18799");
	});

	test("come back when a rule or an element alone is taken out", async () => {
		const network = await fixture.addNetwork(1);
		const web = await fixture.addContainer(network, [published(18706)]);
		servers.push(serveTcp(web.namespaceFd, 80, "web"));
		await mustRun(["nft", "delete", "element", "ip", fixture.tableName, "published", "{ tcp . 18706 }"]);
		await waitFor("the element", async () => (await askTcp(undefined, "127.0.0.1", 18706)) === "web");
		await mustRun(["nft", "flush", "chain", "ip", fixture.tableName, "forward"]);
		await waitFor("the chain", async () =>
			(await mustRun(["nft", "list", "chain", "ip", fixture.tableName, "forward"])).includes("@to_bridge"),
		);
	});
});

test("a chain that goes while the host's rules are read is nobody's refusal", () => {
	/** Somebody deletes the table right after its chains were listed. */
	class VanishingTable extends Nftables {
		override list(commands: string): readonly unknown[] {
			const listed = super.list(commands);
			if (commands === "list chains") this.run(`delete table ${HOST_TABLE}`);
			return listed;
		}
	}
	nftables.run(`add chain ${HOST_TABLE} through { type filter hook forward priority 0; }`);
	using vanishing = new VanishingTable();
	const firewall = new Firewall(vanishing, silentLogger, {
		table: "gantry-test-none",
		families: ["ip"],
		directRouting: false,
		gate: undefined,
		prepareGate: () => {},
	});
	expect(firewall.foreignForwardDrops().filter((chain) => HOST_TABLE.endsWith(chain.split(" ")[0] ?? ""))).toEqual([]);
});
