import { ForbiddenError, InvalidParameterError, SystemError, UnavailableError } from "../../base/errors.ts";
import { AddressPool } from "../../core/network/address-pool.ts";
import { contains, formatIp, type IpAddress, parseIp } from "../../core/network/ip-address.ts";
import type { NetworkRecord, NetworkSubnet } from "../../core/network/network-record.ts";

export interface TakenAddresses {
	/** Without prefix length; empty where the network has no such family. */
	readonly address: string;
	readonly prefixLength: number;
	/** Next hop on the address's own subnet; empty where there is none. */
	readonly gateway: string;
	readonly address6: string;
	readonly prefixLength6: number;
	readonly gateway6: string;
}

interface OwnedPool {
	readonly pool: AddressPool;
	readonly gateway: string;
	/** Endpoint ID by address: a late release must not free what somebody else has got meanwhile. */
	readonly owners: Map<string, string>;
}

/** In the order the network was given its subnets: the first with an address to give has it. */
interface Pools {
	readonly v4: readonly OwnedPool[];
	readonly v6: readonly OwnedPool[];
}

interface Taken {
	readonly address: string;
	readonly prefixLength: number;
	readonly gateway: string;
}

const NOTHING: Taken = { address: "", prefixLength: 0, gateway: "" };

/** Addresses of all networks. In memory only: at start taken from the records of what runs. */
export class AddressBook {
	/** By network ID. */
	readonly #pools = new Map<string, Pools>();

	/**
	 * Addresses for an endpoint, chosen or as requested (empty: any).
	 * @throws ForbiddenError taken, InvalidParameterError outside the subnet, SystemError none left
	 */
	take(
		network: NetworkRecord,
		endpointId: string,
		requested: { readonly address: string; readonly address6: string },
	): TakenAddresses {
		const { v4, v6 } = this.#poolsOf(network);
		const taken = v4.length === 0 ? NOTHING : takeFrom(network, v4, requested.address, endpointId);
		try {
			const taken6 = v6.length === 0 ? NOTHING : takeFrom(network, v6, requested.address6, endpointId);
			return {
				...taken,
				address6: taken6.address,
				prefixLength6: taken6.prefixLength,
				gateway6: taken6.gateway,
			};
		} catch (error) {
			this.release(network.id, endpointId, [taken.address]);
			throw error;
		}
	}

	/** Takes what a record names; an address of a subnet that was reconfigured meanwhile is passed over. */
	adopt(network: NetworkRecord, endpointId: string, addresses: readonly string[]): void {
		const { v4, v6 } = this.#poolsOf(network);
		for (const address of addresses) {
			if (address === "") continue;
			const pools = address.includes(":") ? v6 : v4;
			const owned = pools.find(({ pool }) => contains(pool.subnet, parseIp(address)));
			if (owned === undefined || owned.pool.isTaken(address)) continue;
			try {
				owned.pool.reserve(address);
				owned.owners.set(address, endpointId);
			} catch (error) {
				if (!(error instanceof InvalidParameterError)) throw error;
			}
		}
	}

	/** Gives back what the endpoint has; what it has not, or no longer, is left alone. */
	release(networkId: string, endpointId: string, addresses: readonly string[]): void {
		const pools = this.#pools.get(networkId);
		for (const address of addresses) {
			const owned = [...(pools?.v4 ?? []), ...(pools?.v6 ?? [])].find(
				({ owners }) => owners.get(address) === endpointId,
			);
			if (owned === undefined) continue;
			owned.owners.delete(address);
			owned.pool.release(address);
		}
	}

	/** The network is gone. */
	forget(networkId: string): void {
		this.#pools.delete(networkId);
	}

	#poolsOf(network: NetworkRecord): Pools {
		const known = this.#pools.get(network.id);
		if (known !== undefined) return known;
		const pools: Pools = { v4: openPools(network, 4), v6: openPools(network, 6) };
		this.#pools.set(network.id, pools);
		return pools;
	}
}

function openPools(network: NetworkRecord, family: 4 | 6): OwnedPool[] {
	const { bridge, ipam } = network;
	if (bridge === undefined) {
		if (!(family === 4 ? network.enableIpv4 : network.enableIpv6)) return [];
		const own = ipam.filter(({ subnet }) => subnet.includes(":") === (family === 6));
		return own.map((configured) => openPool(configured.subnet, configured.gateway, configured));
	}
	const [subnet, gateway] = family === 4 ? [bridge.subnet, bridge.gateway] : [bridge.subnet6, bridge.gateway6];
	if (subnet === undefined) return [];
	const own = openPool(
		subnet,
		gateway,
		ipam.find((entry) => entry.subnet === subnet),
	);
	const nextHop = family === 4 ? bridge.nextHop : bridge.nextHop6;
	return [nextHop === undefined ? own : { ...own, gateway: nextHop }];
}

/** @param gateway next hop; one that is only configured (an isolated bridge's) is not handed out either */
function openPool(subnet: string, gateway: string | undefined, configured: NetworkSubnet | undefined): OwnedPool {
	const taken = [gateway ?? configured?.gateway, ...Object.values(configured?.auxiliary ?? {})];
	const pool = new AddressPool(subnet, {
		...(configured?.range === undefined ? {} : { range: configured.range }),
		reserved: taken.filter((address) => address !== undefined),
	});
	return { pool, gateway: gateway ?? "", owners: new Map() };
}

function takeFrom(network: NetworkRecord, pools: readonly OwnedPool[], wanted: string, endpointId: string): Taken {
	const { address, owned } = wanted === "" ? allocate(network, pools) : reserve(pools, parseIp(wanted));
	owned.owners.set(address, endpointId);
	return { address, prefixLength: owned.pool.subnet.prefixLength, gateway: owned.gateway };
}

interface Given {
	readonly address: string;
	readonly owned: OwnedPool;
}

function allocate(network: NetworkRecord, pools: readonly OwnedPool[]): Given {
	let exhausted: UnavailableError | undefined;
	for (const owned of pools)
		try {
			return { address: owned.pool.allocate(), owned };
		} catch (cause) {
			if (!(cause instanceof UnavailableError)) throw cause;
			exhausted = cause;
		}
	throw new SystemError(`${exhausted?.message}: ${network.name} (${network.id})`, { cause: exhausted });
}

function reserve(pools: readonly OwnedPool[], wanted: IpAddress): Given {
	const address = formatIp(wanted);
	const owned = pools.find(({ pool }) => contains(pool.subnet, wanted));
	if (owned === undefined) throw new InvalidParameterError(`no configured subnet contains IP address ${address}`);
	if (owned.pool.isTaken(address)) throw new ForbiddenError("Address already in use");
	try {
		owned.pool.reserve(address);
	} catch (cause) {
		// The subnet's own address and its broadcast address are nobody's to have.
		if (!(cause instanceof InvalidParameterError)) throw cause;
		throw new ForbiddenError("Address already in use", { cause });
	}
	return { address, owned };
}
