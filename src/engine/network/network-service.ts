import type { EndpointSettings } from "../../api/engine/container.ts";
import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import type { NetworkCreateRequest, NetworkInspect } from "../../api/engine/network.ts";
import type { Clock } from "../../base/clock.ts";
import { ForbiddenError, InvalidParameterError, NotFoundError, NotImplementedError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import { isRunning } from "../../core/container/state.ts";
import { AddressPool } from "../../core/network/address-pool.ts";
import type { BridgeDriver } from "../../core/network/driver.ts";
import { formatSubnet, parseSubnet } from "../../core/network/ip-address.ts";
import { matchesNetwork, NETWORK_FILTERS } from "../../core/network/network-filters.ts";
import {
	builtinRecord,
	defaultBridgeRecord,
	isPredefinedNetwork,
	type NetworkRecord,
} from "../../core/network/network-record.ts";
import type { NetworkStore } from "../../core/network/network-store.ts";
import { networkView } from "../../core/network/network-view.ts";
import { chooseSubnet, type SubnetPool } from "../../core/network/subnet-choice.ts";
import type { ContainerRegistry } from "../container/registry.ts";

/** What the daemon's configuration says of the default bridge. */
export interface DefaultBridgeOptions {
	/** Interface name; `none`: no default bridge. */
	readonly bridge: string;
	/** `bip`: the bridge's own address in CIDR form; undefined: chosen, then kept. */
	readonly address?: string;
	readonly address6?: string;
	/** `fixed-cidr` */
	readonly range?: string;
	readonly mtu: number;
	readonly interContainer: boolean;
	readonly masquerade: boolean;
	/** `ip`: where ports go that name no host address; empty: all addresses. */
	readonly hostAddress: string;
	readonly addressPools: readonly SubnetPool[];
	/** Destinations of the host's routes, CIDR form: what a chosen subnet must not overlap. */
	readonly hostSubnets: () => readonly string[];
}

export interface NetworkServiceDependencies {
	readonly store: NetworkStore;
	readonly driver: BridgeDriver;
	readonly containers: ContainerRegistry;
	readonly clock: Clock;
}

const NOT_YET = "user-defined networks are not supported yet";

/** The networks of this machine. So far: the predefined `bridge`, `host` and `none`. */
export class NetworkService {
	readonly #deps: NetworkServiceDependencies;
	readonly #options: DefaultBridgeOptions;
	readonly #records = new Map<string, NetworkRecord>();

	constructor(deps: NetworkServiceDependencies, options: DefaultBridgeOptions) {
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

	/** Makes or repairs the bridges. */
	async initialize(): Promise<void> {
		for (const record of this.#records.values())
			if (record.bridge !== undefined) await this.#deps.driver.createNetwork(record.bridge);
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

	async create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }> {
		if ((request.Name ?? "") === "") throw new InvalidParameterError("invalid network name: name is empty");
		if (isPredefinedNetwork(request.Name))
			throw new ForbiddenError(`operation is not permitted on predefined ${request.Name} network`);
		throw new NotImplementedError(`cannot create network ${request.Name}: ${NOT_YET}`);
	}

	async remove(name: string): Promise<void> {
		const record = this.resolve(name);
		throw new ForbiddenError(`${record.name} is a pre-defined network and cannot be removed`);
	}

	async connect(name: string, container: string, _settings: EndpointSettings | undefined): Promise<void> {
		this.#deps.containers.resolve(container);
		throw new NotImplementedError(`cannot connect to network ${this.resolve(name).name} after creation: ${NOT_YET}`);
	}

	async disconnect(name: string, container: string, _force: boolean): Promise<void> {
		this.#deps.containers.resolve(container);
		throw new NotImplementedError(`cannot disconnect from network ${this.resolve(name).name}: ${NOT_YET}`);
	}

	/** Only user-defined networks are ever pruned. */
	async prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
		checkFilterKeys(filters, ["label", "label!", "until"]);
		return { NetworksDeleted: null };
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

	all(): NetworkRecord[] {
		return [...this.#records.values()];
	}

	/** Where ports go that name no host address. */
	defaultHostAddresses(): string[] {
		const { hostAddress } = this.#options;
		return hostAddress === "" ? ["0.0.0.0", "::"] : [hostAddress];
	}

	#members(network: NetworkRecord): ContainerRecord[] {
		return this.#deps.containers
			.all()
			.filter((record) => isRunning(record.lifecycle) && record.endpoints[network.name] !== undefined);
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
		const { bridge, mtu, interContainer, masquerade, hostAddress, range } = this.#options;
		const v6 = this.#options.address6 === undefined ? undefined : splitAddress(this.#options.address6);
		const record = defaultBridgeRecord({
			id: stored?.id ?? newId(),
			createdAt: stored?.createdAt ?? this.#deps.clock.now(),
			bridge,
			...this.#subnet(stored),
			...(v6 === undefined ? {} : { subnet6: v6.subnet, gateway6: v6.gateway }),
			...(range === undefined ? {} : { range }),
			mtu,
			interContainer,
			masquerade,
			hostAddress: hostAddress || "0.0.0.0",
		});
		if (JSON.stringify(record) !== JSON.stringify(stored)) this.#put(record);
		else this.#records.set("bridge", record);
	}

	#subnet(stored: NetworkRecord | undefined): { readonly subnet: string; readonly gateway: string } {
		if (this.#options.address !== undefined) return splitAddress(this.#options.address);
		if (stored?.bridge !== undefined) return { subnet: stored.bridge.subnet, gateway: stored.bridge.gateway };
		const subnet = chooseSubnet(this.#options.addressPools, this.#options.hostSubnets());
		return { subnet, gateway: new AddressPool(subnet).firstUsable() };
	}
}

/** `172.20.0.1/16` -> the subnet it is in, and itself as the gateway. */
function splitAddress(cidr: string): { readonly subnet: string; readonly gateway: string } {
	return { subnet: formatSubnet(parseSubnet(cidr)), gateway: cidr.slice(0, cidr.lastIndexOf("/")) };
}

function notFound(name: string): NotFoundError {
	return new NotFoundError(`network ${name} not found`);
}
