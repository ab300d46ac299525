import { ForbiddenError, InvalidParameterError, SystemError, UnavailableError } from "../../base/errors.ts";
import { AddressPool } from "../../core/network/address-pool.ts";
import { contains, formatIp, type IpAddress, parseIp } from "../../core/network/ip-address.ts";
import type { NetworkRecord } from "../../core/network/network-record.ts";

export interface TakenAddresses {
	/** Without prefix length; empty where the network has no such family. */
	readonly address: string;
	readonly prefixLength: number;
	readonly address6: string;
	readonly prefixLength6: number;
}

interface OwnedPool {
	readonly pool: AddressPool;
	/** Endpoint ID by address: a late release must not free what somebody else has got meanwhile. */
	readonly owners: Map<string, string>;
}

interface Pools {
	readonly v4: OwnedPool | undefined;
	readonly v6: OwnedPool | undefined;
}

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
		const address = v4 === undefined ? "" : takeFrom(network, v4, requested.address, endpointId);
		try {
			const address6 = v6 === undefined ? "" : takeFrom(network, v6, requested.address6, endpointId);
			return {
				address,
				prefixLength: v4?.pool.subnet.prefixLength ?? 0,
				address6,
				prefixLength6: v6?.pool.subnet.prefixLength ?? 0,
			};
		} catch (error) {
			this.release(network.id, endpointId, [address]);
			throw error;
		}
	}

	/** Takes what a record names; an address of a subnet that was reconfigured meanwhile is passed over. */
	adopt(network: NetworkRecord, endpointId: string, addresses: readonly string[]): void {
		const { v4, v6 } = this.#poolsOf(network);
		for (const address of addresses) {
			const owned = address.includes(":") ? v6 : v4;
			if (address === "" || owned === undefined || owned.pool.isTaken(address)) continue;
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
			const owned = address.includes(":") ? pools?.v6 : pools?.v4;
			if (owned?.owners.get(address) !== endpointId) continue;
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
		const { subnet, subnet6 } = network.bridge ?? {};
		const pools: Pools = { v4: openPool(network, subnet), v6: openPool(network, subnet6) };
		this.#pools.set(network.id, pools);
		return pools;
	}
}

function openPool(network: NetworkRecord, subnet: string | undefined): OwnedPool | undefined {
	if (subnet === undefined) return undefined;
	const configured = network.ipam.find((entry) => entry.subnet === subnet);
	const isV6 = subnet.includes(":");
	// An isolated bridge has no address, and its gateway is not handed out all the same: it may become an ordinary one.
	const gateway = (isV6 ? network.bridge?.gateway6 : network.bridge?.gateway) ?? configured?.gateway;
	const reserved = [gateway, ...Object.values(configured?.auxiliary ?? {})].filter((address) => address !== undefined);
	const pool = new AddressPool(subnet, {
		...(configured?.range === undefined ? {} : { range: configured.range }),
		reserved,
	});
	return { pool, owners: new Map() };
}

function takeFrom(network: NetworkRecord, { pool, owners }: OwnedPool, wanted: string, endpointId: string): string {
	const address = wanted === "" ? allocate(network, pool) : reserve(pool, parseIp(wanted));
	owners.set(address, endpointId);
	return address;
}

function allocate(network: NetworkRecord, pool: AddressPool): string {
	try {
		return pool.allocate();
	} catch (cause) {
		if (!(cause instanceof UnavailableError)) throw cause;
		throw new SystemError(`${cause.message}: ${network.name} (${network.id})`, { cause });
	}
}

function reserve(pool: AddressPool, wanted: IpAddress): string {
	const address = formatIp(wanted);
	if (pool.isTaken(address)) throw new ForbiddenError("Address already in use");
	try {
		pool.reserve(address);
	} catch (cause) {
		// The subnet's own address and its broadcast address are nobody's to have.
		if (!(cause instanceof InvalidParameterError) || !contains(pool.subnet, wanted)) throw cause;
		throw new ForbiddenError("Address already in use", { cause });
	}
	return address;
}
