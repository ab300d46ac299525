/**
 * Who is called what on which network. A container sees the names of the networks it is on, and no others. In memory: filled
 * from the records of what runs.
 */
import { parseIp } from "./ip-address.ts";
import type { HostNameDirectory, NameDirectory } from "./name-server.ts";

export interface NamedEndpoint {
	readonly endpointId: string;
	readonly containerId: string;
	readonly networkId: string;
	readonly networkName: string;
	/** The first one is what an address is answered with. */
	readonly names: readonly string[];
	/** Without prefix lengths; empty where the endpoint has none. */
	readonly address: string;
	readonly address6: string;
	/** Names that this container alone uses for others: alias → name on the network. */
	readonly links: Readonly<Record<string, string>>;
	/** On a network without names: the host alone knows it. */
	readonly hostOnly?: boolean;
}

interface NetworkNames {
	readonly name: string;
	/** By name in lower case; several endpoints may share an alias. */
	readonly byName: Map<string, Set<NamedEndpoint>>;
	/** By address in canonical form. */
	readonly byAddress: Map<string, NamedEndpoint>;
}

export class NameTable implements NameDirectory, HostNameDirectory {
	readonly #endpoints = new Map<string, NamedEndpoint>();
	readonly #networks = new Map<string, NetworkNames>();
	readonly #byContainer = new Map<string, Set<NamedEndpoint>>();
	/** Of all networks, for the host. */
	readonly #everywhere: Names = { byName: new Map(), byAddress: new Map() };

	/** Replaces the endpoint of the same ID. */
	add(endpoint: NamedEndpoint): void {
		this.remove(endpoint.endpointId);
		this.#endpoints.set(endpoint.endpointId, endpoint);
		addTo(this.#everywhere, endpoint);
		if (endpoint.hostOnly === true) return;
		entryOf(this.#byContainer, endpoint.containerId, () => new Set<NamedEndpoint>()).add(endpoint);
		const network = entryOf(this.#networks, endpoint.networkId, () => ({
			name: endpoint.networkName,
			byName: new Map<string, Set<NamedEndpoint>>(),
			byAddress: new Map<string, NamedEndpoint>(),
		}));
		addTo(network, endpoint);
	}

	/** Idempotent. */
	remove(endpointId: string): void {
		const endpoint = this.#endpoints.get(endpointId);
		if (endpoint === undefined) return;
		this.#endpoints.delete(endpointId);
		removeFrom(this.#everywhere, endpoint);
		dropFrom(this.#byContainer, endpoint.containerId, endpoint);
		const network = this.#networks.get(endpoint.networkId);
		if (network === undefined) return;
		removeFrom(network, endpoint);
		if (network.byName.size === 0 && network.byAddress.size === 0) this.#networks.delete(endpoint.networkId);
	}

	/** Whether the container is on a network with names. */
	has(containerId: string): boolean {
		return this.#byContainer.has(containerId);
	}

	/**
	 * Addresses of a family behind a name, as this container sees it: plain, or with a network's name after a dot.
	 * @returns undefined when nobody is called so; empty when somebody is, without an address of the family
	 */
	resolve(containerId: string, name: string, family: 4 | 6): readonly string[] | undefined {
		const wanted = name.toLowerCase();
		const plain = this.#find(containerId, wanted, undefined);
		if (plain !== undefined) return addresses(plain, family);
		for (let dot = wanted.lastIndexOf("."); dot > 0; dot = wanted.lastIndexOf(".", dot - 1)) {
			const found = this.#find(containerId, wanted.slice(0, dot), wanted.slice(dot + 1));
			if (found !== undefined) return addresses(found, family);
		}
		return undefined;
	}

	resolveAnywhere(name: string, family: 4 | 6): readonly string[] | undefined {
		const wanted = name.toLowerCase();
		const plain = this.#everywhere.byName.get(wanted);
		if (plain !== undefined) return addresses(plain, family);
		for (let dot = wanted.lastIndexOf("."); dot > 0; dot = wanted.lastIndexOf(".", dot - 1)) {
			const network = wanted.slice(dot + 1);
			const found = [...(this.#everywhere.byName.get(wanted.slice(0, dot)) ?? [])].filter(
				({ networkName }) => networkName.toLowerCase() === network,
			);
			if (found.length > 0) return addresses(new Set(found), family);
		}
		return undefined;
	}

	reverseAnywhere(address: string): string | undefined {
		const endpoint = this.#everywhere.byAddress.get(canonical(address));
		return endpoint === undefined ? undefined : `${endpoint.names[0]}.${endpoint.networkName}`;
	}

	/** `container.network` behind an address on one of this container's networks. @throws InvalidParameterError */
	reverse(containerId: string, address: string): string | undefined {
		const wanted = canonical(address);
		for (const { networkId } of this.#byContainer.get(containerId) ?? []) {
			const network = this.#networks.get(networkId);
			const endpoint = network?.byAddress.get(wanted);
			if (endpoint !== undefined) return `${endpoint.names[0]}.${endpoint.networkName}`;
		}
		return undefined;
	}

	/** The container's networks in the order it came to them; the first that knows the name answers. */
	#find(containerId: string, name: string, networkName: string | undefined): ReadonlySet<NamedEndpoint> | undefined {
		for (const own of this.#byContainer.get(containerId) ?? []) {
			if (networkName !== undefined && own.networkName.toLowerCase() !== networkName) continue;
			const found = this.#networks.get(own.networkId)?.byName.get(linkTarget(own, name) ?? name);
			if (found !== undefined) return found;
		}
		return undefined;
	}
}

type Names = Omit<NetworkNames, "name">;

function addTo({ byName, byAddress }: Names, endpoint: NamedEndpoint): void {
	for (const name of lowerCase(endpoint.names)) entryOf(byName, name, () => new Set<NamedEndpoint>()).add(endpoint);
	for (const address of addressesOf(endpoint)) byAddress.set(address, endpoint);
}

function removeFrom({ byName, byAddress }: Names, endpoint: NamedEndpoint): void {
	for (const name of lowerCase(endpoint.names)) dropFrom(byName, name, endpoint);
	for (const address of addressesOf(endpoint)) if (byAddress.get(address) === endpoint) byAddress.delete(address);
}

function linkTarget(endpoint: NamedEndpoint, name: string): string | undefined {
	return Object.hasOwn(endpoint.links, name) ? endpoint.links[name]?.toLowerCase() : undefined;
}

function addresses(endpoints: ReadonlySet<NamedEndpoint>, family: 4 | 6): string[] {
	const all = [...endpoints].map(({ address, address6 }) => (family === 4 ? address : address6));
	return all.filter((address) => address !== "");
}

function addressesOf({ address, address6 }: NamedEndpoint): string[] {
	return [address, address6].filter((each) => each !== "").map(canonical);
}

/** One spelling for every address. */
function canonical(address: string): string {
	const { family, value } = parseIp(address);
	return `${family}:${value.toString(16)}`;
}

function lowerCase(names: readonly string[]): ReadonlySet<string> {
	return new Set(names.map((name) => name.toLowerCase()));
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
	const present = map.get(key);
	if (present !== undefined) return present;
	const made = make();
	map.set(key, made);
	return made;
}

function dropFrom<V>(map: Map<string, Set<V>>, key: string, value: V): void {
	const set = map.get(key);
	set?.delete(value);
	if (set?.size === 0) map.delete(key);
}
