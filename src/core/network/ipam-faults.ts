/** What is wrong with the subnets a network is asked for, in Docker's words. Pure. */
import type { IpamConfig } from "../../api/engine/network.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { contains, formatSubnet, parseCidr, parseSubnet, type Subnet, tryParseIp } from "./ip-address.ts";

/** Everything that is wrong, one fault a line. @throws InvalidParameterError */
export function checkIpamConfigs(configs: readonly IpamConfig[]): void {
	const faults = configs.flatMap((config) => configFaults(config));
	if (faults.length > 0) throw new InvalidParameterError(`invalid network config:\n${bulleted(faults)}`);
}

function bulleted(faults: readonly string[]): string {
	return faults.length === 1 ? (faults[0] ?? "") : faults.map((fault) => `* ${fault}`).join("\n");
}

function configFaults(config: IpamConfig): string[] {
	const { Subnet = "", Gateway = "", IPRange = "", AuxiliaryAddresses = {} } = config;
	const subnet = trySubnet(Subnet);
	if (subnet === undefined) return [`invalid subnet ${Subnet}: invalid CIDR block notation`];
	const canonical = formatSubnet(subnet);
	const faults: string[] = [];
	const { address } = parseCidr(Subnet);
	if (address.value !== subnet.base) faults.push(`invalid subnet ${Subnet}: it should be ${canonical}`);
	if (IPRange !== "") faults.push(...rangeFaults(IPRange, subnet, Subnet));
	if (Gateway !== "") faults.push(...addressFaults(`invalid gateway ${Gateway}`, Gateway, subnet, Subnet));
	for (const [name, auxiliary] of Object.entries(AuxiliaryAddresses ?? {}))
		faults.push(...addressFaults(`invalid auxiliary address ${name}`, auxiliary, subnet, Subnet));
	return faults;
}

/** @param given the subnet as it was asked for, which the messages quote */
function rangeFaults(text: string, subnet: Subnet, given: string): string[] {
	const range = trySubnet(text);
	const prefix = `invalid ip-range ${text}:`;
	if (range === undefined) return [`${prefix} invalid CIDR block notation`];
	if (range.family !== subnet.family) return [`${prefix} it should be an IPv${subnet.family} range`];
	const faults: string[] = [];
	if (range.prefixLength < subnet.prefixLength)
		faults.push(`${prefix} CIDR block is bigger than its parent subnet ${given}`);
	if (parseCidr(text).address.value !== range.base) faults.push(`${prefix} it should be ${formatSubnet(range)}`);
	if (!contains(subnet, { family: range.family, value: range.base }))
		faults.push(`${prefix} parent subnet ${given} doesn't contain ip-range`);
	return faults;
}

function addressFaults(prefix: string, text: string, subnet: Subnet, given: string): string[] {
	const address = tryParseIp(text);
	if (address === undefined) return [`${prefix}: invalid address`];
	if (address.family !== subnet.family) return [`${prefix}: parent subnet is an IPv${subnet.family} block`];
	if (!contains(subnet, address)) return [`${prefix}: parent subnet ${given} doesn't contain this address`];
	return [];
}

function trySubnet(text: string): Subnet | undefined {
	try {
		return parseSubnet(text);
	} catch (error) {
		if (error instanceof InvalidParameterError) return undefined;
		throw error;
	}
}
