/** A driver of its own on the real kernel, containers that are bare namespaces, and an outside host behind a veth pair. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { systemClock } from "../../../src/base/clock.ts";
import { newId } from "../../../src/base/ids.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { BridgeNetwork, NetworkSandbox, PortMapping } from "../../../src/core/network/driver.ts";
import { macAddressFor } from "../../../src/core/network/mac-address.ts";
import { addAddressRequest, addRouteRequest } from "../../../src/drivers/linux/addresses.ts";
import { closeDescriptor } from "../../../src/drivers/linux/file-descriptors.ts";
import {
	addVethRequest,
	deleteLink,
	findLinkIndex,
	listLinks,
	setLinkRequest,
} from "../../../src/drivers/linux/links.ts";
import { mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import {
	createNetworkNamespace,
	inNetworkNamespace,
	openNamespace,
	openNetlinkIn,
} from "../../../src/drivers/linux/namespaces.ts";
import { NetlinkSocket } from "../../../src/drivers/linux/netlink.ts";
import { Nftables } from "../../../src/drivers/linux/nftables.ts";
import { LinuxBridgeDriver } from "../../../src/drivers/network-bridge/bridge-driver.ts";

/** Address of the host on the link to the outside host, and the outside host's own. */
export const HOST_ADDRESS = "10.213.250.1";
export const OUTSIDE_ADDRESS = "10.213.250.2";

/** A network with IPv4, as all of these are. */
export type TestNetwork = BridgeNetwork & { readonly subnet: string; readonly gateway: string };

export interface TestContainer {
	readonly id: string;
	readonly endpointId: string;
	readonly address: string;
	readonly sandbox: NetworkSandbox;
	readonly namespaceFd: number;
}

export class NetworkFixture {
	readonly directory = mkdtempSync("/tmp/gantry-network-");
	readonly tag = randomBytes(2).toString("hex");
	readonly tableName = `gantry-test-${this.tag}`;
	driver: LinuxBridgeDriver;
	readonly #networks: TestNetwork[] = [];
	readonly #descriptors: number[] = [];
	#outside: number | undefined;
	#nextHost = 2;

	/** @param options.gate whether published ports obey the host's input chains */
	constructor(private readonly options: { readonly gate: boolean } = { gate: true }) {
		this.driver = this.newDriver();
	}

	newDriver(): LinuxBridgeDriver {
		const options = {
			directory: this.directory,
			tableName: this.tableName,
			gateName: this.options.gate ? `gt${this.tag}g` : undefined,
			poolSize: 2,
			forwarding: true,
		};
		return new LinuxBridgeDriver({ clock: systemClock, logger: silentLogger }, options);
	}

	async start(): Promise<void> {
		await this.driver.initialize({ sandboxes: new Set(), endpoints: new Set() });
	}

	network(index: number, options: Partial<TestNetwork> = {}): TestNetwork {
		return {
			id: newId(),
			bridge: `gt${this.tag}n${index}`,
			subnet: `10.213.${index}.0/24`,
			gateway: `10.213.${index}.1`,
			mtu: 1500,
			interContainer: true,
			masquerade: true,
			internal: false,
			...options,
		};
	}

	async addNetwork(index: number, options: Partial<TestNetwork> = {}): Promise<TestNetwork> {
		const network = this.network(index, options);
		await this.driver.createNetwork(network);
		this.#networks.push(network);
		return network;
	}

	async addContainer(
		network: TestNetwork,
		mappings: readonly PortMapping[] = [],
		address6?: string,
	): Promise<TestContainer> {
		const id = newId();
		const endpointId = newId();
		const address = network.gateway.replace(/1$/, String(this.#nextHost++));
		const sandbox = await this.driver.createSandbox(id);
		await this.driver.connect(network, sandbox, {
			endpointId,
			containerId: id,
			interfaceName: "eth0",
			address: `${address}/24`,
			...(address6 !== undefined && { address6 }),
			macAddress: macAddressFor(address),
			gateway: network.gateway,
			...(network.gateway6 !== undefined && { gateway6: network.gateway6 }),
			mappings,
		});
		const namespaceFd = openNamespace(sandbox.path);
		this.#descriptors.push(namespaceFd);
		return { id, endpointId, address, sandbox, namespaceFd };
	}

	/** A namespace that stands for another machine; the host is its gateway to the containers. */
	outside(): number {
		if (this.#outside !== undefined) return this.#outside;
		const fd = createNetworkNamespace();
		this.#outside = fd;
		const name = `gt${this.tag}out`;
		using host = new NetlinkSocket();
		using inside = openNetlinkIn(fd);
		host.request(
			addVethRequest({ name, mtu: 1500, peer: { name: "eth0", namespaceFd: fd, macAddress: "02:42:0a:d5:fa:02" } }),
		);
		const index = findLinkIndex(host, name) ?? 0;
		host.requestAll([addAddressRequest(index, `${HOST_ADDRESS}/24`), setLinkRequest(index, { up: true })]);
		const peer = findLinkIndex(inside, "eth0") ?? 0;
		inside.requestAll([
			setLinkRequest(1, { up: true }),
			addAddressRequest(peer, `${OUTSIDE_ADDRESS}/24`),
			setLinkRequest(peer, { up: true }),
			addRouteRequest({ linkIndex: peer, gateway: HOST_ADDRESS }),
		]);
		// Makes the kernel see the carrier now.
		findLinkIndex(host, name);
		return fd;
	}

	/** Ends everything and says what is still there afterwards: nothing, if the driver is right. */
	async stop(): Promise<string[]> {
		for (const fd of this.#descriptors.splice(0)) closeDescriptor(fd);
		for (const container of (await this.driver.inventory()).sandboxes) await this.driver.removeSandbox(container);
		for (const network of this.#networks) await this.driver.removeNetwork(network);
		const left = this.#leftElements();
		this.driver.dropFirewall();
		await this.driver.close();
		if (this.#outside !== undefined) {
			using host = new NetlinkSocket();
			deleteLink(host, `gt${this.tag}out`);
			closeDescriptor(this.#outside);
		}
		left.push(...mountsUnder(readMountInfo(), this.directory).map((entry) => `mount ${entry.mountPoint}`));
		left.push(...["netns", "endpoints"].flatMap((name) => readdirSync(`${this.directory}/${name}`)));
		left.push(...(await this.#linksAfterGrace()));
		rmSync(this.directory, { recursive: true, force: true });
		return left;
	}

	/** Elements and chains of networks that remain in our tables. */
	#leftElements(): string[] {
		using nftables = new Nftables();
		const listing = JSON.stringify([
			nftables.list(`list table ip ${this.tableName}`),
			nftables.list(`list table ip6 ${this.tableName}`),
		]);
		return listing.includes('"elem"') || /"(?:to|from)_(?:bridge_)?[0-9a-f]{12}"/.test(listing) ? [listing] : [];
	}

	/** Interfaces go with their namespace, which the kernel clears away in the background. */
	async #linksAfterGrace(): Promise<string[]> {
		using host = new NetlinkSocket();
		const ours = () =>
			listLinks(host).filter((link) => link.name.startsWith(`gt${this.tag}`) || this.#veths.has(link.name));
		for (let round = 0; round < 100 && ours().length > 0; round++) await Bun.sleep(20);
		return ours().map((link) => `link ${link.name}`);
	}

	readonly #veths = new Set<string>();

	/** Remembers the host's end of a container's pair for the leak check. */
	watch(container: TestContainer): TestContainer {
		this.#veths.add(`veth${container.endpointId.slice(0, 11)}`);
		return container;
	}
}

const REPLY_TIMEOUT_MS = 700;

export interface Server {
	stop(): void;
	/** Addresses of the clients, in order. */
	readonly clients: readonly string[];
}

/** Answers each TCP connection with `text` and the client's address. */
export function serveTcp(namespaceFd: number, port: number, text: string, hostname = "0.0.0.0"): Server {
	const clients: string[] = [];
	const listener = inNetworkNamespace(namespaceFd, () =>
		Bun.listen({
			hostname,
			port,
			socket: {
				open(socket) {
					clients.push(socket.remoteAddress);
					socket.end(text);
				},
				data() {},
			},
		}),
	);
	return { clients, stop: () => listener.stop(true) };
}

/** What the server said; undefined when nothing answers. */
export async function askTcp(
	namespaceFd: number | undefined,
	hostname: string,
	port: number,
): Promise<string | undefined> {
	const answer = Promise.withResolvers<string | undefined>();
	let text = "";
	const connect = () =>
		Bun.connect({
			hostname,
			port,
			socket: {
				data(_, chunk) {
					text += chunk.toString();
				},
				close: () => answer.resolve(text === "" ? undefined : text),
				error: () => answer.resolve(undefined),
				connectError: () => answer.resolve(undefined),
			},
		});
	const pending = namespaceFd === undefined ? connect() : inNetworkNamespace(namespaceFd, connect);
	pending.catch(() => answer.resolve(undefined));
	const result = await Promise.race([answer.promise, Bun.sleep(REPLY_TIMEOUT_MS)]);
	void pending.then((socket) => socket.terminate()).catch(() => undefined);
	return result ?? undefined;
}

/** Echoes each datagram with `text` before it. */
export async function serveUdp(namespaceFd: number, port: number, text: string): Promise<Server> {
	const clients: string[] = [];
	const socket = await inNetworkNamespace(namespaceFd, () =>
		Bun.udpSocket({
			hostname: "0.0.0.0",
			port,
			socket: {
				data(own, data, clientPort, address) {
					clients.push(address);
					own.send(`${text}${data.toString()}`, clientPort, address);
				},
			},
		}),
	);
	return { clients, stop: () => socket.close() };
}

/** @param localPort fixed source port, so that two asks are one flow to the connection tracker */
export async function askUdp(
	namespaceFd: number | undefined,
	address: string,
	port: number,
	localPort = 0,
): Promise<string | undefined> {
	const answer = Promise.withResolvers<string>();
	const open = () =>
		Bun.udpSocket({
			hostname: "0.0.0.0",
			port: localPort,
			socket: { data: (_, data) => answer.resolve(data.toString()) },
		});
	const socket = await (namespaceFd === undefined ? open() : inNetworkNamespace(namespaceFd, open));
	try {
		socket.send("?", port, address);
		return (await Promise.race([answer.promise, Bun.sleep(REPLY_TIMEOUT_MS)])) ?? undefined;
	} finally {
		socket.close();
	}
}
