/**
 * Sandboxes and endpoints on Linux: namespaces, veth pairs, bridges, macvlan and ipvlan by rtnetlink, ports and NAT by nftables.
 *
 *   <directory>/netns/<container ID>            bound namespace
 *   <directory>/endpoints/<endpoint ID>.json    what was made for an endpoint
 *   <directory>/departed/<interface>            a bridge that is being removed
 *
 * All work is synchronous system calls of well under a millisecond each. Removing an interface alone waits for the kernel's
 * grace periods (20–70 ms), so it is left to the end of the namespace or to a process of its own.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "../../base/clock.ts";
import { errnoCode, errorMessage, NotFoundError, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import {
	type DriverNetwork,
	type EndpointPlan,
	type InterfaceStatistics,
	isBridge,
	type NetworkDriver,
	type NetworkInventory,
	type NetworkSandbox,
	type ParentNetwork,
	type PortMapping,
	type PortRequest,
	type PortReservation,
	type SandboxGateway,
} from "../../core/network/driver.ts";
import { formatSubnet, parseSubnet } from "../../core/network/ip-address.ts";
import { listAddresses, listRoutes } from "../linux/addresses.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { findLinkIndex, listLinks } from "../linux/links.ts";
import { openNamespace, openNetlinkIn } from "../linux/namespaces.ts";
import { NetlinkSocket } from "../linux/netlink.ts";
import { Nftables } from "../linux/nftables.ts";
import { enableForwarding, ensureBridge, isOwnBridge, refuseOtherKinds } from "./bridge-link.ts";
import { DepartedLinks } from "./departed-links.ts";
import { allowHairpin, makeEndpointLink, replaceDefaultRoutes, silenceEndpointLink } from "./endpoint-link.ts";
import { type EndpointState, EndpointStates, stateOf } from "./endpoint-state.ts";
import { Firewall } from "./firewall.ts";
import { FirewallWatch } from "./firewall-watch.ts";
import { ensureInputGate, inputGate, removeInputGate } from "./input-gate.ts";
import { removeHostLink, removeLinkInside } from "./link-removal.ts";
import { ensureParent, makeParentEndpoint, removeParent } from "./parent-link.ts";
import type { TableFamily } from "./port-elements.ts";
import { PortReserver } from "./port-reserver.ts";
import { SandboxPool } from "./sandbox-pool.ts";
import { Sandboxes } from "./sandboxes.ts";
import { forgetFlows } from "./udp-flows.ts";

/** A stopped container loses its sandbox right after its endpoints; then there is no interface left to remove. */
const LEAVE_DELAY_MS = 100;

/**
 * An interface goes with its namespace, a moment after the name was unbound. Not while something else holds the namespace:
 * a mount namespace made meanwhile has a copy of the binding. Then it is removed by itself.
 */
const VANISH_DELAY_MS = 1000;

export interface LinuxBridgeDriverOptions {
	/** Run-time directory of this driver alone, on a tmpfs. */
	readonly directory: string;
	/** Name of the nftables tables; different for every daemon of the machine. Letters, digits, `_`, `-`. */
	readonly tableName: string;
	/** Namespaces kept ready. */
	readonly poolSize: number;
	/** At most twelve bytes: interfaces by which published ports obey the host's input chains; undefined: they do not. */
	readonly gateName: string | undefined;
	/** Turn the host's packet forwarding on when it is off (dockerd's `ip-forward`). */
	readonly forwarding: boolean;
	/** Published ports are reached at containers' own addresses as if every interface were trusted (`allow-direct-routing`). */
	readonly directRouting?: boolean;
}

export interface LinuxBridgeDriverDependencies {
	readonly clock: Clock;
	readonly logger: Logger;
}

export class LinuxBridgeDriver implements NetworkDriver {
	readonly #sandboxes: Sandboxes;
	readonly #states: EndpointStates;
	readonly #netlink = new NetlinkSocket();
	readonly #nftables = new Nftables();
	readonly #firewall: Firewall;
	readonly #watch: FirewallWatch;
	readonly #pool: SandboxPool;
	readonly #departed: DepartedLinks;
	readonly #ports: PortReserver;
	readonly #logger: Logger;
	readonly #clock: Clock;
	/** Endpoints whose interface is to be removed, unless their namespace goes first and takes it along. */
	readonly #leaving = new Map<string, Timer>();
	readonly #vanishing = new Set<Timer>();
	/** By ID: a parent that was made for networks goes with the last of them. */
	readonly #parents = new Map<string, ParentNetwork>();

	/** @throws UnavailableError without libnftables; InvalidParameterError for a bad table name */
	constructor(
		dependencies: LinuxBridgeDriverDependencies,
		private readonly options: LinuxBridgeDriverOptions,
	) {
		this.#logger = dependencies.logger;
		this.#clock = dependencies.clock;
		this.#states = new EndpointStates(join(options.directory, "endpoints"));
		this.#firewall = new Firewall(this.#nftables, dependencies.logger, {
			table: options.tableName,
			families: tableFamilies(),
			directRouting: options.directRouting === true,
			gate: options.gateName === undefined ? undefined : inputGate(options.gateName),
			prepareGate: (gate) => ensureInputGate(this.#netlink, gate),
		});
		this.#watch = new FirewallWatch({
			...dependencies,
			tables: this.#firewall.tables,
			restore: () => this.#firewall.restore(),
		});
		this.#departed = new DepartedLinks(join(options.directory, "departed"), this.#netlink, dependencies.logger);
		this.#pool = new SandboxPool(options.poolSize, dependencies.clock, dependencies.logger);
		this.#sandboxes = new Sandboxes(join(options.directory, "netns"), this.#pool);
		this.#ports = new PortReserver(() => this.#states.all().flatMap(({ mappings }) => mappings));
	}

	async initialize(keep: {
		readonly sandboxes: ReadonlySet<string>;
		readonly endpoints: ReadonlySet<string>;
	}): Promise<void> {
		this.#sandboxes.prepare();
		this.#departed.resume();
		this.#states.load();
		if (this.options.forwarding && enableForwarding(4))
			this.#logger.info("packet forwarding switched on", { family: 4 });
		await this.#watch.open();
		const gone = this.#states.all().filter((state) => !keep.endpoints.has(state.endpointId));
		this.#firewall.initialize(this.#states.all().filter((state) => keep.endpoints.has(state.endpointId)));
		for (const sandbox of this.#sandboxes.list()) if (!keep.sandboxes.has(sandbox)) this.#sandboxes.remove(sandbox);
		for (const state of gone) {
			if (keep.sandboxes.has(state.containerId)) {
				await this.#removeInterface(state);
				this.#states.remove(state.endpointId);
			} else {
				silenceEndpointLink(this.#netlink, state.hostInterface);
				this.#vanishes(state);
			}
		}
		this.#warnOfHostFirewall();
		this.#pool.refill();
	}

	async createNetwork(network: DriverNetwork): Promise<void> {
		if (!isBridge(network))
			return await this.#translate(`failed to create ${network.kind} network on ${network.parent}`, () => {
				ensureParent(this.#netlink, network);
				this.#parents.set(network.id, network);
			});
		await this.#translate(`failed to create bridge network ${network.bridge}`, () => {
			if (network.subnet6 !== undefined && this.options.forwarding) enableForwarding(6);
			refuseOtherKinds(this.#netlink, network.bridge);
			// Rules first: there is no moment in which the bridge is up and open.
			this.#firewall.addNetwork(network);
			ensureBridge(this.#netlink, network);
		});
	}

	async removeNetwork(network: DriverNetwork): Promise<void> {
		if (!isBridge(network))
			return await this.#translate(`failed to remove ${network.kind} network on ${network.parent}`, () => {
				this.#parents.delete(network.id);
				const isShared = [...this.#parents.values()].some(({ parent }) => parent === network.parent);
				if (!isShared) removeParent(this.#netlink, network);
			});
		await this.#translate(`failed to remove bridge network ${network.bridge}`, () => {
			if (isOwnBridge(this.#netlink, network)) this.#departed.send(network.bridge, network.id);
			this.#firewall.removeNetwork(network);
		});
	}

	async createSandbox(
		containerId: string,
		options: { readonly sysctls?: Readonly<Record<string, string>> } = {},
	): Promise<NetworkSandbox> {
		return this.#translate("failed to create network namespace", () =>
			this.#sandboxes.create(containerId, options.sysctls ?? {}),
		);
	}

	async removeSandbox(containerId: string): Promise<void> {
		await this.#translate("failed to remove network namespace", async () => {
			const endpoints = this.#states.all().filter((state) => state.containerId === containerId);
			for (const state of endpoints) {
				silenceEndpointLink(this.#netlink, state.hostInterface);
				this.#forgetPorts(state);
				// The kernel lets go of a namespace some time later; until then the parent would know the address twice.
				if (state.parentInterface !== undefined) await this.#removeInterface(state);
			}
			this.#sandboxes.remove(containerId);
			for (const state of endpoints) this.#vanishes(state);
		});
	}

	reservePorts(requests: readonly PortRequest[]): PortReservation {
		return this.#ports.reserve(requests);
	}

	async connect(network: DriverNetwork, sandbox: NetworkSandbox, plan: EndpointPlan): Promise<void> {
		const state = stateOf(network, plan);
		try {
			this.#stayed(plan.endpointId);
			this.#states.save(state);
			this.#makeLink(network, sandbox, plan);
			this.#firewall.publish(state);
			forgetFlows(state, this.#logger);
		} catch (cause) {
			await this.#removeEndpoint(state);
			const where = isBridge(network) ? `bridge ${network.bridge}` : `${network.kind} on ${network.parent}`;
			throw new SystemError(`failed to connect to ${where}: ${errorMessage(cause)}`, { cause });
		}
	}

	async disconnect(
		_network: DriverNetwork,
		_containerId: string,
		endpointId: string,
		options: { readonly wait: boolean } = { wait: false },
	): Promise<void> {
		const state = this.#states.get(endpointId);
		if (state === undefined || this.#leaving.has(endpointId)) return;
		await this.#translate("failed to disconnect", async () => {
			silenceEndpointLink(this.#netlink, state.hostInterface);
			this.#forgetPorts(state);
			if (options.wait) return await this.#leave(state);
			this.#leaving.set(
				endpointId,
				this.#clock.after(LEAVE_DELAY_MS, () => void this.#leave(state)),
			);
		});
	}

	async setGateways(
		sandbox: NetworkSandbox,
		gateways: { readonly v4?: SandboxGateway; readonly v6?: SandboxGateway },
	): Promise<void> {
		await this.#translate("failed to set default routes", () => {
			const fd = openNamespace(sandbox.path);
			try {
				using inside = openNetlinkIn(fd);
				replaceDefaultRoutes(inside, gateways);
			} finally {
				closeDescriptor(fd);
			}
		});
	}

	async publish(endpointId: string, mappings: readonly PortMapping[]): Promise<void> {
		const state = this.#states.get(endpointId);
		if (state === undefined) throw new NotFoundError(`endpoint ${endpointId} not found`);
		await this.#translate("failed to publish ports", () => {
			const published = { ...state, mappings };
			const isNew = JSON.stringify(state.mappings) !== JSON.stringify(mappings);
			if (isNew) this.#states.save(published);
			// Even then: after a crash two endpoints may claim a port, and this one has it.
			if (mappings.length > 0) allowHairpin(this.#netlink, state.hostInterface);
			const changed = this.#firewall.publish(published);
			if (!changed) return;
			forgetFlows({ ...state, mappings: [...state.mappings, ...mappings] }, this.#logger);
		});
	}

	/** The endpoint of a sandbox that is no more: nothing has to be remembered of it. */
	#vanishes(state: EndpointState): void {
		this.#stayed(state.endpointId);
		this.#states.remove(state.endpointId);
		const timer = this.#clock.after(VANISH_DELAY_MS, () => {
			this.#vanishing.delete(timer);
			void removeHostLink(this.#netlink, state.hostInterface).catch((error: unknown) => this.#warnOfLink(state, error));
		});
		this.#vanishing.add(timer);
	}

	/** The state file stays until the interface is gone: a daemon that dies before leaves the rest to the next one. */
	async #leave(state: EndpointState): Promise<void> {
		try {
			await this.#removeInterface(state);
			this.#states.remove(state.endpointId);
		} catch (error) {
			this.#warnOfLink(state, error);
		}
		this.#leaving.delete(state.endpointId);
	}

	#warnOfLink({ hostInterface }: EndpointState, error: unknown): void {
		this.#logger.warn("interface could not be removed", { link: hostInterface, error: errorMessage(error) });
	}

	async statistics(containerId: string): Promise<Readonly<Record<string, InterfaceStatistics>>> {
		return this.#translate("failed to read network statistics", () => {
			return this.#sandboxes.use(containerId, (fd) => {
				using inside = openNetlinkIn(fd);
				const links = listLinks(inside).filter((link) => link.name !== "lo");
				return Object.fromEntries(links.map((link) => [link.name, link.statistics]));
			});
		});
	}

	async inventory(): Promise<NetworkInventory> {
		return {
			sandboxes: this.#sandboxes.list(),
			endpoints: this.#states.all().flatMap(({ endpointId }) => (this.#leaving.has(endpointId) ? [] : endpointId)),
		};
	}

	async occupiedSubnets(): Promise<readonly string[]> {
		return this.#translate("failed to read the host's routes", () => {
			const routes = listRoutes(this.#netlink).map((route) => route.destination);
			const addresses = listAddresses(this.#netlink).map(({ address, prefixLength }) => `${address}/${prefixLength}`);
			const subnets = [...routes, ...addresses].map(parseSubnet).filter((subnet) => subnet.prefixLength > 0);
			return [...new Set(subnets.map(formatSubnet))];
		});
	}

	/** For a quiet moment. */
	releaseMemory(): void {
		this.#nftables.forgetRuleset();
	}

	async close(): Promise<void> {
		for (const endpointId of [...this.#leaving.keys()]) this.#stayed(endpointId);
		for (const timer of this.#vanishing) timer.cancel();
		this.#pool.close();
		await this.#departed.settled();
		await this.#watch[Symbol.asyncDispose]();
		this.#netlink.close();
		this.#nftables.close();
	}

	/** Whether published ports are subject to the host's own input chains. */
	get asksHostFirewall(): boolean {
		return this.#firewall.hasGate;
	}

	/** Removes this daemon's firewall tables, for one that leaves no container running. */
	dropFirewall(): void {
		this.#firewall.drop();
		if (this.options.gateName !== undefined) removeInputGate(this.#netlink, inputGate(this.options.gateName));
	}

	/** A drop in the host's own forward chain wins over our accept. That is the administrator's choice, but he should know. */
	#warnOfHostFirewall(): void {
		const chains = this.#firewall.foreignForwardDrops();
		if (chains.length > 0)
			this.#logger.warn("the host's firewall drops forwarded packets; containers reach nothing it does not allow", {
				chains,
			});
	}

	#makeLink(network: DriverNetwork, sandbox: NetworkSandbox, plan: EndpointPlan): void {
		const namespaceFd = openNamespace(sandbox.path);
		try {
			if (!isBridge(network)) {
				makeParentEndpoint(this.#netlink, { network, plan, namespaceFd });
				return;
			}
			const bridgeIndex = findLinkIndex(this.#netlink, network.bridge) ?? ensureBridge(this.#netlink, network);
			makeEndpointLink(this.#netlink, { network, bridgeIndex, plan, namespaceFd });
		} finally {
			closeDescriptor(namespaceFd);
		}
	}

	async #removeInterface({ hostInterface, parentInterface, containerId }: EndpointState): Promise<void> {
		if (parentInterface === undefined) return await removeHostLink(this.#netlink, hostInterface);
		if (this.#sandboxes.has(containerId)) await removeLinkInside(this.#sandboxes.path(containerId), parentInterface);
	}

	async #removeEndpoint(state: EndpointState): Promise<void> {
		this.#forgetPorts(state);
		await this.#removeInterface(state);
		this.#states.remove(state.endpointId);
	}

	/** Calls a pending removal of the interface off. */
	#stayed(endpointId: string): void {
		this.#leaving.get(endpointId)?.cancel();
		this.#leaving.delete(endpointId);
	}

	#forgetPorts(state: EndpointState): void {
		this.#firewall.removeEndpoint(state.endpointId);
		forgetFlows(state, this.#logger);
	}

	async #translate<T>(purpose: string, work: () => T | Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (cause) {
			if (errnoCode(cause) === "ENOENT") throw new NotFoundError(`${purpose}: ${errorMessage(cause)}`, { cause });
			if (errnoCode(cause) === undefined) throw cause;
			throw new SystemError(`${purpose}: ${errorMessage(cause)}`, { cause });
		}
	}
}

function tableFamilies(): readonly TableFamily[] {
	return existsSync("/proc/sys/net/ipv6") ? ["ip", "ip6"] : ["ip"];
}
