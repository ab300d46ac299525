/** Hosts and the networks they may lie in, as operators write them. Names are compared as they are written, never resolved. */
import { contains, isLoopback, parseSubnet, type Subnet, tryParseIp } from "../network/ip-address.ts";

/** @param host a name or an address, an IPv6 one perhaps in brackets */
export function isLoopbackHost(host: string): boolean {
	const address = tryParseIp(withoutBrackets(host));
	return host.toLowerCase() === "localhost" || (address !== undefined && isLoopback(address));
}

/** @param network in CIDR notation; one that cannot be read has no hosts */
export function isHostIn(host: string, network: string): boolean {
	const address = tryParseIp(withoutBrackets(host));
	const subnet = trySubnet(network);
	return address !== undefined && subnet !== undefined && contains(subnet, address);
}

function withoutBrackets(host: string): string {
	return host.replace(/^\[|\]$/g, "");
}

function trySubnet(text: string): Subnet | undefined {
	try {
		return parseSubnet(text);
	} catch {
		// No network: a host's name may hold a slash by mistake.
		return undefined;
	}
}
