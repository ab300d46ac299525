/** Which subnet each range, gateway and auxiliary address of `network create` belongs to. Pure. */
import type { IpamConfig } from "../../api/engine/network.ts";
import { errorMessage, InvalidParameterError } from "../../base/errors.ts";
import { contains, overlaps, parseCidr, parseSubnet, type Subnet, tryParseIp } from "../../core/network/ip-address.ts";

export interface AddressOptions {
	readonly subnets: readonly string[];
	readonly ranges: readonly string[];
	readonly gateways: readonly string[];
	/** Addresses by name. */
	readonly auxiliary: Readonly<Record<string, string>>;
}

/** Each goes with the subnet that contains it. @throws InvalidParameterError in the words of Docker's client */
export function addressPools({ subnets, ranges, gateways, auxiliary }: AddressOptions): IpamConfig[] {
	if (subnets.length < ranges.length || subnets.length < gateways.length)
		throw new InvalidParameterError("every ip-range or gateway must have a corresponding subnet");
	checkOverlaps(subnets);
	const pools = subnets.map((Subnet): IpamConfig => ({ Subnet }));
	for (const range of ranges) {
		parseCidr(range);
		const pool = poolOf(pools, range, `range ${range}`);
		refuseSecond("ranges", "on", pool, pool.IPRange, range);
		pool.IPRange = range;
	}
	for (const gateway of gateways) {
		const pool = poolOf(pools, gateway, `gateway ${gateway}`);
		refuseSecond("gateways", "for", pool, pool.Gateway, gateway);
		pool.Gateway = gateway;
	}
	for (const [name, address] of Object.entries(auxiliary)) {
		const pool = poolOf(pools, address, `aux-address ${address}`);
		pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
	}
	return pools;
}

function checkOverlaps(subnets: readonly string[]): void {
	if (subnets.length < 2) return;
	const parsed = subnets.map(parse);
	if (parsed.some((one, index) => parsed.slice(index + 1).some((other) => overlaps(one, other))))
		throw new InvalidParameterError("multiple overlapping subnet configuration is not supported");
}

function poolOf(pools: readonly IpamConfig[], text: string, what: string): IpamConfig {
	// Whatever else is wrong with it is the daemon's to say.
	const address = tryParseIp(text.replace(/\/.*/, ""));
	const pool = pools.find(({ Subnet = "" }) => {
		const subnet = parse(Subnet);
		return address !== undefined && contains(subnet, address);
	});
	if (pool === undefined) throw new InvalidParameterError(`no matching subnet for ${what}`);
	return pool;
}

function parse(subnet: string): Subnet {
	try {
		return parseSubnet(subnet);
	} catch (cause) {
		throw new InvalidParameterError(`invalid subnet: ${errorMessage(cause)}`, { cause });
	}
}

function refuseSecond(
	kind: string,
	preposition: string,
	{ Subnet }: IpamConfig,
	first: string | undefined,
	second: string,
): void {
	if (first !== undefined)
		throw new InvalidParameterError(
			`cannot configure multiple ${kind} (${second}, ${first}) ${preposition} the same subnet (${Subnet})`,
		);
}
