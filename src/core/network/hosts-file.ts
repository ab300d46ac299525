/** /etc/hosts of a container. */
import { InvalidParameterError } from "../../base/errors.ts";
import { tryParseIp } from "./ip-address.ts";

export interface HostsEntry {
	readonly address: string;
	/** At least one. */
	readonly names: readonly string[];
}

/** What `--add-host` takes in place of an address: the host, seen from the container. */
export const HOST_GATEWAY = "host-gateway";

const LOCAL_ENTRIES: readonly HostsEntry[] = [
	{ address: "127.0.0.1", names: ["localhost"] },
	{ address: "::1", names: ["localhost", "ip6-localhost", "ip6-loopback"] },
	{ address: "fe00::", names: ["ip6-localnet"] },
	{ address: "ff00::", names: ["ip6-mcastprefix"] },
	{ address: "ff02::1", names: ["ip6-allnodes"] },
	{ address: "ff02::2", names: ["ip6-allrouters"] },
];

/** The entries every container has, then the given ones in order. */
export function renderHostsFile(entries: readonly HostsEntry[]): string {
	return [...LOCAL_ENTRIES, ...entries].map(({ address, names }) => `${address}\t${names.join(" ")}\n`).join("");
}

/** A container's own line: `host.domain host`, also when the host name has the domain in it; or just the host name. */
export function ownHostsEntry(address: string, hostname: string, domainname = ""): HostsEntry {
	if (domainname !== "") return { address, names: [`${hostname}.${domainname}`, hostname] };
	const dot = hostname.indexOf(".");
	return { address, names: dot > 0 ? [hostname, hostname.slice(0, dot)] : [hostname] };
}

/**
 * Entries of `HostConfig.ExtraHosts` (`name:address`, the name up to the first colon).
 * @param hostGateways addresses that `host-gateway` stands for; with none of them it cannot be used
 * @throws InvalidParameterError
 */
export function parseExtraHosts(extraHosts: readonly string[], hostGateways: readonly string[]): HostsEntry[] {
	return extraHosts.flatMap((text) => {
		const { name, address } = splitExtraHost(text);
		if (address !== HOST_GATEWAY) return { address, names: [name] };
		if (hostGateways.length === 0) throw new InvalidParameterError("unable to derive the IP value for host-gateway");
		return hostGateways.map((gateway) => ({ address: gateway, names: [name] }));
	});
}

function splitExtraHost(text: string): { readonly name: string; readonly address: string } {
	const at = text.search(/[:=]/);
	const name = text.slice(0, at);
	const address = text.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
	if (at < 1 || address === "") throw new InvalidParameterError(`bad format for add-host: "${text}"`);
	if (address !== HOST_GATEWAY && tryParseIp(address) === undefined)
		throw new InvalidParameterError(`invalid IP address in add-host: "${address}"`);
	if (/\s/.test(name)) throw new InvalidParameterError(`bad format for add-host: "${text}"`);
	return { name, address };
}
