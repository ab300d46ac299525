/** /etc/resolv.conf of a container, from the host's (resolv.conf(5)) and what the user asked for. */
import { isLoopback, tryParseIp } from "./ip-address.ts";

export interface ResolvConf {
	readonly nameservers: readonly string[];
	readonly search: readonly string[];
	readonly options: readonly string[];
}

/** Empty lists override nothing. */
export type ResolvConfOverrides = Partial<ResolvConf>;

/** Used where a container can reach none of the host's servers. */
export const FALLBACK_NAMESERVERS: readonly string[] = ["8.8.8.8", "8.8.4.4"];

export function parseResolvConf(text: string): ResolvConf {
	const nameservers: string[] = [];
	const options: string[] = [];
	let search: readonly string[] = [];
	for (const line of text.split("\n")) {
		const [keyword, ...values] = line
			.replace(/[#;].*$/, "")
			.trim()
			.split(/\s+/);
		if (keyword === "nameserver" && values[0] !== undefined) nameservers.push(values[0]);
		// The last of several search or domain lines counts.
		if (keyword === "search" || keyword === "domain") search = values;
		if (keyword === "options") options.push(...values);
	}
	return { nameservers, search, options };
}

export interface ContainerResolvConfOptions {
	readonly overrides?: ResolvConfOverrides;
	/** In its own network namespace the host's loopback servers cannot be reached. */
	readonly sharesHostNetwork: boolean;
	/** Without it IPv6 servers are left out. */
	readonly hasIpv6: boolean;
	/** The embedded name server, which alone is named where there is one; it asks the others. */
	readonly embeddedServer?: string;
}

/** What the container's file says. A search list of one dot means none. */
export function resolvConfForContainer(host: ResolvConf, options: ContainerResolvConfOptions): ResolvConf {
	const given = options.overrides ?? {};
	const choose = (own: readonly string[] | undefined, fromHost: readonly string[]) =>
		own !== undefined && own.length > 0 ? own : fromHost;
	const search = choose(given.search, host.search);
	const settled = {
		search: search.length === 1 && search[0] === "." ? [] : search,
		options: choose(given.options, host.options),
	};
	if (options.embeddedServer !== undefined)
		return { ...settled, nameservers: [options.embeddedServer], options: withDots(settled.options) };
	return { ...settled, nameservers: choose(given.nameservers, reachableNameservers(host.nameservers, options)) };
}

/** Names of containers have no dots: they are asked for as they are before the search list is tried. */
function withDots(options: readonly string[]): readonly string[] {
	return options.some((option) => option.startsWith("ndots:")) ? options : [...options, "ndots:0"];
}

function reachableNameservers(servers: readonly string[], options: ContainerResolvConfOptions): readonly string[] {
	if (options.sharesHostNetwork) return servers;
	const reachable = servers.filter((server) => {
		// A zone (`fe80::1%eth0`) names an interface of the host.
		const address = tryParseIp(server);
		return address !== undefined && !isLoopback(address) && (address.family === 4 || options.hasIpv6);
	});
	return reachable.length > 0 ? reachable : FALLBACK_NAMESERVERS;
}

/** The daemon that put itself first among the host's servers, by a name of its own. */
const markerOf = (owner: string) => `# ${owner}: names of containers, while gantryd runs; removed when it stops`;

/** The host's file with one more server before the others, which are asked when it is gone. */
export function withHostServer(text: string, owner: string, address: string): string {
	return `${markerOf(owner)}\nnameserver ${address}\n${withoutHostServer(text, owner)}`;
}

/** The host's file as it was, whatever others have changed in it since. */
export function withoutHostServer(text: string, owner: string): string {
	const lines = text.split("\n");
	const kept = lines.filter((line, index) => line !== markerOf(owner) && lines[index - 1] !== markerOf(owner));
	return kept.join("\n");
}

export function renderResolvConf(configuration: ResolvConf): string {
	const lines = configuration.nameservers.map((server) => `nameserver ${server}`);
	if (configuration.search.length > 0) lines.push(`search ${configuration.search.join(" ")}`);
	if (configuration.options.length > 0) lines.push(`options ${configuration.options.join(" ")}`);
	return ["# Written by Gantry at the container's start; changes made here stay until then.", ...lines, ""].join("\n");
}
