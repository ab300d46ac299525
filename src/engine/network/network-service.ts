import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import type { NetworkCreateRequest, NetworkInspect } from "../../api/engine/network.ts";
import type { Clock } from "../../base/clock.ts";
import {
	ConflictError,
	errorMessage,
	ForbiddenError,
	InvalidParameterError,
	NotFoundError,
} from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { EndpointNetwork } from "../../core/container/endpoints.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { parseUntil } from "../../core/event/timestamp-filter.ts";
import { type DefaultBridgeFamily, planDefaultBridge } from "../../core/network/default-bridge.ts";
import type { NetworkDriver } from "../../core/network/driver.ts";
import { checkNetworkName, occupiedSubnets, planNetwork } from "../../core/network/network-creation.ts";
import { matchesNetwork, NETWORK_FILTERS } from "../../core/network/network-filters.ts";
import {
	builtinRecord,
	driverNetworkOf,
	isPredefinedNetwork,
	type NetworkRecord,
} from "../../core/network/network-record.ts";
import type { NetworkStore } from "../../core/network/network-store.ts";
import { networkView } from "../../core/network/network-view.ts";
import { type SubnetPool, uniqueLocalPool } from "../../core/network/subnet-choice.ts";
import { hasLabel } from "../../core/volume/volume-filters.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { AddressBook } from "./address-book.ts";

/** What the daemon's configuration says of networks. */
export interface NetworkServiceOptions {
	/** Interface name of the default bridge; `none`: no default bridge. */
	readonly bridge: string;
	readonly v4: DefaultBridgeFamily;
	/** Absent: no IPv6 on the default bridge. */
	readonly v6?: DefaultBridgeFamily;
	readonly mtu: number;
	/** Of networks that do not say theirs. */
	readonly networkMtu: number;
	readonly interContainer: boolean;
	readonly masquerade: boolean;
	/** `ip`: where ports go that name no host address; empty: all addresses. */
	readonly hostAddress: string;
	readonly addressPools: readonly SubnetPool[];
	/** `default-network-opts`: options that new networks of a driver have unless they say otherwise. */
	readonly networkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
	/** Destinations of the host's routes, CIDR form: what a chosen subnet must not overlap. */
	readonly hostSubnets: () => readonly string[];
}

export interface NetworkServiceDependencies {
	readonly store: NetworkStore;
	readonly driver: NetworkDriver;
	readonly containers: ContainerRegistry;
	readonly addresses: Pick<AddressBook, "forget">;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** Creations and removals run one at a time: each looks at the subnets and bridges of all the others. */
const CHANGES = "changes";

/** The networks of this machine: the predefined `bridge`, `host` and `none`, and the user's bridges. */
export class NetworkService {
	readonly #deps: NetworkServiceDependencies;
	readonly #options: NetworkServiceOptions;
	readonly #records = new Map<string, NetworkRecord>();
	readonly #mutex = new KeyedMutex();

	constructor(deps: NetworkServiceDependencies, options: NetworkServiceOptions) {
		this.#deps = deps;
		this.#options = options;
	}

	/** Reads the store and settles the predefined networks; their IDs stay the same from start to start. */
	load(): void {
		for (const record of this.#deps.store.list()) this.#records.set(record.name, record);
		for (const name of ["host", "none"] as const)
			if (!this.#records.has(name)) this.#put(builtinRecord(name, newId(), this.#deps.clock.now()));
		this.#settleDefaultBridge();
	}

	/** Makes or repairs the bridges. One of the user's that cannot be had keeps neither the others nor the daemon from working. */
	async initialize(): Promise<void> {
		for (const record of this.#records.values()) {
			const link = driverNetworkOf(record);
			if (link === undefined) continue;
			try {
				await this.#deps.driver.createNetwork(link);
			} catch (error) {
				if (isPredefinedNetwork(record.name)) throw error;
				this.#deps.logger.error("network could not be restored", {
					network: record.name,
					error: errorMessage(error),
				});
			}
		}
	}

	async list(filters: Filters): Promise<NetworkInspect[]> {
		checkFilterKeys(filters, NETWORK_FILTERS);
		return [...this.#records.values()]
			.filter((record) => matchesNetwork(filters, record, this.#members(record).length > 0))
			.map((record) => ({ ...networkView(record, []) }));
	}

	async inspect(name: string, options: { readonly verbose: boolean; readonly scope: string }): Promise<NetworkInspect> {
		if (options.scope !== "" && options.scope !== "local") throw notFound(name);
		const record = this.resolve(name);
		return networkView(record, this.#members(record));
	}

	/**
	 * The record is stored first: a bridge whose network nobody knows of is never left behind.
	 * @throws InvalidParameterError, ForbiddenError, ConflictError, NotFoundError, NotImplementedError, SystemError
	 */
	async create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }> {
		checkNetworkName(request.Name ?? "");
		return await this.#mutex.run(CHANGES, async () => {
			if (this.#records.has(request.Name)) throw new ConflictError(`network with name ${request.Name} already exists`);
			const record = planNetwork({
				id: newId(),
				createdAt: this.#deps.clock.now(),
				request,
				existing: this.all(),
				hostSubnets: await this.#deps.driver.occupiedSubnets(),
				pools: this.#poolsOf(4),
				pool6: this.#poolsOf(6),
				defaultMtu: this.#options.networkMtu,
				defaultOptions: this.#options.networkOptions,
			});
			await this.#make(record);
			this.#publish(record, "create");
			return { Id: record.id, Warning: "" };
		});
	}

	async #make(record: NetworkRecord): Promise<void> {
		const link = driverNetworkOf(record);
		this.#deps.store.put(record);
		try {
			if (link !== undefined) await this.#deps.driver.createNetwork(link);
		} catch (error) {
			if (link !== undefined) await this.#deps.driver.removeNetwork(link);
			this.#deps.store.delete(record.id);
			throw error;
		}
		this.#records.set(record.name, record);
	}

	/** @throws NotFoundError, ForbiddenError when it is predefined or in use, SystemError */
	async remove(name: string): Promise<void> {
		await this.#mutex.run(CHANGES, async () => {
			const record = this.resolve(name);
			if (isPredefinedNetwork(record.name))
				throw new ForbiddenError(`${record.name} is a pre-defined network and cannot be removed`);
			if (this.all().some(({ configFrom }) => record.configOnly === true && configFrom === record.name))
				throw new ForbiddenError(
					`error while removing network: configuration network ${JSON.stringify(record.name)} is in use`,
				);
			const active = this.#members(record).map(({ name: member, endpoints }) => {
				const endpointId = endpoints[record.name]?.assigned?.endpointId ?? "";
				return `name:"${member}" id:"${endpointId.slice(0, 12)}"`;
			});
			if (active.length > 0)
				throw new ForbiddenError(
					`error while removing network: network ${record.name} has active endpoints (${active.join(", ")})`,
				);
			await this.#remove(record);
		});
	}

	/** The record goes last: a removal that a crash cuts short can be asked for again. */
	async #remove(record: NetworkRecord): Promise<void> {
		// Out of sight first: nobody connects to it from here on.
		this.#records.delete(record.name);
		try {
			const link = driverNetworkOf(record);
			if (link !== undefined) await this.#deps.driver.removeNetwork(link);
			this.#deps.store.delete(record.id);
		} catch (error) {
			this.#records.set(record.name, record);
			throw error;
		}
		this.#deps.addresses.forget(record.id);
		this.#publish(record, "destroy");
	}

	/** User-defined networks that no running container is on. */
	async prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
		checkFilterKeys(filters, ["label", "label!", "until"]);
		const until = parseUntil(filters, this.#deps.clock.now());
		const deleted: string[] = [];
		await this.#mutex.run(CHANGES, async () => {
			for (const record of this.all()) {
				if (isPredefinedNetwork(record.name) || record.configOnly === true || record.createdAt >= until) continue;
				if (!(filters.get("label") ?? []).every((label) => hasLabel(record.labels, label))) continue;
				if ((filters.get("label!") ?? []).some((label) => hasLabel(record.labels, label))) continue;
				if (this.#members(record).length > 0) continue;
				await this.#remove(record);
				deleted.push(record.name);
			}
		});
		this.#deps.events.publish({ type: "network", action: "prune", actorId: "", attributes: { reclaimed: "0" } });
		return { NetworksDeleted: deleted.length === 0 ? null : deleted };
	}

	/** By name, ID or unique prefix of an ID. @throws NotFoundError, InvalidParameterError */
	resolve(reference: string): NetworkRecord {
		const exact = this.find(reference);
		if (exact !== undefined) return exact;
		const matches = [...this.#records.values()].filter((record) => reference !== "" && record.id.startsWith(reference));
		if (matches.length > 1)
			throw new InvalidParameterError(
				`network ${reference} is ambiguous (${matches.length} matches found on ID prefix)`,
			);
		const [match] = matches;
		if (match === undefined) throw notFound(reference);
		return match;
	}

	/** By name or whole ID; `default` is the default bridge. */
	find(reference: string): NetworkRecord | undefined {
		const name = reference === "default" ? "bridge" : reference;
		return this.#records.get(name) ?? [...this.#records.values()].find((record) => record.id === reference);
	}

	/** Its name, when it exists; networks may be named by ID where endpoints are asked for. */
	nameOf(reference: string): string {
		return this.find(reference)?.name ?? reference;
	}

	all(): NetworkRecord[] {
		return [...this.#records.values()];
	}

	/** Where ports go that name no host address. */
	defaultHostAddresses(): string[] {
		const { hostAddress } = this.#options;
		return hostAddress === "" ? ["0.0.0.0", "::"] : [hostAddress];
	}

	/** Containers that have an endpoint on it now. */
	#members(network: NetworkRecord): ContainerRecord[] {
		return this.#deps.containers
			.all()
			.filter((record) => record.endpoints[network.name]?.assigned?.networkId === network.id);
	}

	#publish(record: NetworkRecord, action: "create" | "destroy"): void {
		this.#deps.events.publish({
			type: "network",
			action,
			actorId: record.id,
			attributes: { name: record.name, type: record.driver },
		});
	}

	/** IPv6 subnets come from a block of unique local addresses, this daemon's for good, unless there are pools for them. */
	#poolsOf(family: 4 | 6): readonly SubnetPool[] {
		const pools = this.#options.addressPools.filter(({ base }) => base.includes(":") === (family === 6));
		if (family === 4 || pools.length > 0) return pools;
		return [uniqueLocalPool(this.#records.get("host")?.id ?? newId())];
	}

	#put(record: NetworkRecord): void {
		this.#deps.store.put(record);
		this.#records.set(record.name, record);
	}

	#settleDefaultBridge(): void {
		const stored = this.#records.get("bridge");
		if (this.#options.bridge === "none") {
			this.#records.delete("bridge");
			return;
		}
		const { bridge, v4, v6, mtu, interContainer, masquerade, hostAddress } = this.#options;
		const others = this.all().filter(({ name }) => name !== "bridge");
		const record = planDefaultBridge({
			id: stored?.id ?? newId(),
			createdAt: stored?.createdAt ?? this.#deps.clock.now(),
			bridge,
			v4,
			...(v6 === undefined ? {} : { v6 }),
			mtu,
			interContainer,
			masquerade,
			hostAddress: hostAddress || "0.0.0.0",
			stored,
			taken: [...this.#options.hostSubnets(), ...others.flatMap(occupiedSubnets)],
			pools: { v4: this.#poolsOf(4), v6: this.#poolsOf(6) },
		});
		if (JSON.stringify(record) !== JSON.stringify(stored)) this.#put(record);
		else this.#records.set("bridge", record);
	}
}

/** What endpoints may ask of a network. */
export function endpointNetwork({ ipam, userSubnets, enableIpv4, enableIpv6 }: NetworkRecord): EndpointNetwork {
	const isOpen = (subnet: string) =>
		subnet.includes(":") ? enableIpv6 && userSubnets?.v6 === true : enableIpv4 && userSubnets?.v4 === true;
	return { userSubnets: ipam.map(({ subnet }) => subnet).filter(isOpen) };
}

function notFound(name: string): NotFoundError {
	return new NotFoundError(`network ${name} not found`);
}
