/** Which subnet a network gets when nobody says: the first of the pools that overlaps nothing the host can already reach. */
import { UnavailableError } from "../../base/errors.ts";
import { bitsOf, formatSubnet, overlaps, parseSubnet, type Subnet } from "./ip-address.ts";

/** A block of addresses that is cut into subnets of `prefixLength` bits. */
export interface SubnetPool {
	readonly base: string;
	readonly prefixLength: number;
}

/** Docker's pools (`default-address-pools`): sixteen subnets of /16 less one, then sixteen of /20. */
export const DEFAULT_SUBNET_POOLS: readonly SubnetPool[] = [
	{ base: "172.17.0.0/16", prefixLength: 16 },
	{ base: "172.18.0.0/16", prefixLength: 16 },
	{ base: "172.19.0.0/16", prefixLength: 16 },
	{ base: "172.20.0.0/14", prefixLength: 16 },
	{ base: "172.24.0.0/14", prefixLength: 16 },
	{ base: "172.28.0.0/14", prefixLength: 16 },
	{ base: "192.168.0.0/16", prefixLength: 20 },
];

/**
 * @param taken subnets of other networks and destinations of the host's routes, CIDR form; default routes do not count
 * @throws UnavailableError when every subnet of every pool overlaps one of them
 */
export function chooseSubnet(pools: readonly SubnetPool[], taken: readonly string[]): string {
	const obstacles = taken.map(parseSubnet).filter((subnet) => subnet.prefixLength > 0);
	for (const pool of pools) {
		const found = firstFree(parseSubnet(pool.base), pool.prefixLength, obstacles);
		if (found !== undefined) return formatSubnet(found);
	}
	throw new UnavailableError("all predefined address pools have been fully subnetted");
}

function firstFree(block: Subnet, prefixLength: number, obstacles: readonly Subnet[]): Subnet | undefined {
	const step = 1n << BigInt(bitsOf(block.family) - prefixLength);
	const count = 1n << BigInt(Math.max(0, prefixLength - block.prefixLength));
	for (let index = 0n; index < count; index++) {
		const candidate: Subnet = { family: block.family, base: block.base + index * step, prefixLength };
		if (!obstacles.some((obstacle) => overlaps(obstacle, candidate))) return candidate;
	}
	return undefined;
}

/**
 * A pool of unique local IPv6 addresses (RFC 4193), the same for one seed: a /48 that is cut into /64 subnets.
 * @param seed at least ten random hexadecimal digits
 */
export function uniqueLocalPool(seed: string): SubnetPool {
	const digits = `fd${seed.slice(0, 10)}`;
	return { base: `${digits.match(/.{4}/g)?.join(":")}::/48`, prefixLength: 64 };
}
