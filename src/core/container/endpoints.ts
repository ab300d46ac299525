import type { ContainerConfig, EndpointSettings, HostConfig, NetworkingConfig } from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { contains, parseSubnet, tryParseIp } from "../network/ip-address.ts";
import { isAddress } from "./host-config.ts";
import { containerOfMode } from "./namespace-mode.ts";

/** Driver option of an endpoint: `net.ipv4.conf.IFNAME.log_martians=1,…` */
export const ENDPOINT_SYSCTLS = "com.docker.network.endpoint.sysctls";

const PREDEFINED: ReadonlySet<string> = new Set(["bridge", "host", "none"]);

/** The networks there are; endpoints may name others, which have to be there at the start. */
export interface EndpointNetworks {
	/** The network's name, for one that is named by its ID; anything else unchanged. */
	nameOf(reference: string): string;
	find(name: string): EndpointNetwork | undefined;
}

const NO_NETWORKS: EndpointNetworks = { nameOf: (reference) => reference, find: () => undefined };

export interface RequestedEndpoints {
	/** By network name. */
	readonly endpoints: Readonly<Record<string, EndpointSettings>>;
	readonly warnings: readonly string[];
}

/**
 * The networks a new container is to be on: those named in `NetworkingConfig`, or the one of its network mode.
 * @throws InvalidParameterError
 */
export function requestedEndpoints(
	config: ContainerConfig,
	hostConfig: HostConfig,
	networking: NetworkingConfig | undefined,
	version: ApiVersion,
	networks: EndpointNetworks = NO_NETWORKS,
): RequestedEndpoints {
	const mode = networks.nameOf(hostConfig.NetworkMode ?? "bridge");
	const endpoints: Record<string, EndpointSettings> = {};
	for (const [name, settings] of Object.entries(networking?.EndpointsConfig ?? {})) {
		const network = name === "default" ? "bridge" : networks.nameOf(name);
		if (settings === null)
			throw new InvalidParameterError(`invalid config for network ${network}: EndpointsConfig is nil`);
		endpoints[network] = { ...settings };
	}
	const shared = containerOfMode(mode) !== undefined;
	if (!atLeast(version, 44) && Object.keys(endpoints).length > 1)
		throw new InvalidParameterError(
			`Container cannot be created with multiple network endpoints: ${Object.keys(endpoints).sort().join(", ")}`,
		);
	if (shared) return { endpoints: {}, warnings: macWarnings(config, version) };
	if (Object.keys(endpoints).length === 0) endpoints[mode] = {};
	const primary = endpoints[mode];
	if ((config.MacAddress ?? "") !== "" && primary !== undefined) applyMacAddress(config.MacAddress ?? "", primary);
	for (const [name, settings] of Object.entries(endpoints)) checkEndpoint(name, settings, networks.find(name));
	return { endpoints, warnings: macWarnings(config, version) };
}

function applyMacAddress(address: string, endpoint: EndpointSettings): void {
	const own = endpoint.MacAddress ?? "";
	if (own !== "" && own !== address)
		throw new InvalidParameterError(
			"the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
		);
	endpoint.MacAddress = address;
}

function macWarnings(config: ContainerConfig, version: ApiVersion): string[] {
	if ((config.MacAddress ?? "") === "" || !atLeast(version, 44)) return [];
	return ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."];
}

/** What a network allows its endpoints; unknown while it does not exist. */
export interface EndpointNetwork {
	/** Subnets that the user chose, CIDR form. */
	readonly userSubnets: readonly string[];
}

/** @throws InvalidParameterError listing everything that is wrong with the endpoint */
export function checkEndpoint(name: string, settings: EndpointSettings, network?: EndpointNetwork): void {
	const prefix = `invalid config for network ${name}: `;
	checkMacAddress(prefix, settings);
	checkEndpointSettings(prefix, endpointFaults(PREDEFINED.has(name), settings, network));
}

function checkMacAddress(prefix: string, { MacAddress = "" }: EndpointSettings): void {
	if (MacAddress !== "" && !/^([0-9a-f]{2}([:-])){5}[0-9a-f]{2}$/i.test(MacAddress))
		throw new InvalidParameterError(`${prefix}invalid MAC address ${MacAddress}`);
}

/** As `checkEndpoint`, for a container that is connected later: without the network's name. @throws InvalidParameterError */
export function checkConnection(name: string, settings: EndpointSettings, network: EndpointNetwork): void {
	checkMacAddress("", settings);
	checkEndpointSettings("", endpointFaults(PREDEFINED.has(name), settings, network));
}

function checkEndpointSettings(prefix: string, faults: readonly string[]): void {
	if (faults.length === 0) return;
	const list = faults.length === 1 ? faults[0] : faults.map((fault) => `* ${fault}`).join("\n");
	throw new InvalidParameterError(`${prefix}invalid endpoint settings:\n${list}`);
}

const WITHOUT_SUBNET =
	"user specified IP address is supported only when connecting to networks with user configured subnets";

function endpointFaults(
	predefined: boolean,
	settings: EndpointSettings,
	network: EndpointNetwork | undefined,
): string[] {
	const faults: string[] = [];
	const { IPv4Address = "", IPv6Address = "", LinkLocalIPs = [] } = settings.IPAMConfig ?? {};
	const hasAddress = IPv4Address !== "" || IPv6Address !== "";
	if (predefined && hasAddress) faults.push("user specified IP address is supported on user defined networks only");
	if (predefined && (settings.Aliases?.length ?? 0) > 0)
		faults.push("network-scoped alias is supported only for containers in user defined networks");
	if (IPv4Address !== "" && (!isAddress(IPv4Address) || IPv4Address.includes(":")))
		faults.push(`invalid IPv4 address: ${IPv4Address}`);
	if (IPv6Address !== "" && (!isAddress(IPv6Address) || !IPv6Address.includes(":")))
		faults.push(`invalid IPv6 address: ${IPv6Address}`);
	faults.push(...sysctlFaults(settings.DriverOpts?.[ENDPOINT_SYSCTLS] ?? ""));
	for (const address of LinkLocalIPs) if (!isAddress(address)) faults.push(`invalid link-local IP address: ${address}`);
	if (predefined && hasAddress) faults.push(WITHOUT_SUBNET);
	else if (network !== undefined)
		faults.push(...subnetFaults(4, IPv4Address, network), ...subnetFaults(6, IPv6Address, network));
	return faults;
}

/** Of an address that is asked for, whatever it is. */
function subnetFaults(family: 4 | 6, text: string, { userSubnets }: EndpointNetwork): string[] {
	if (text === "") return [];
	const subnets = userSubnets.map(parseSubnet).filter((subnet) => subnet.family === family);
	if (subnets.length === 0) return [WITHOUT_SUBNET];
	const address = tryParseIp(text);
	if (address !== undefined && subnets.some((subnet) => contains(subnet, address))) return [];
	return [`no configured subnet or ip-range contain the IP address ${text}`];
}

/** Only sysctls of the endpoint's own interface may be set with it. */
function sysctlFaults(text: string): string[] {
	if (text === "") return [];
	return text.split(",").flatMap((pair) => {
		const [name = "", value] = pair.split("=", 2);
		// Clients put all of it into lower case.
		if (value !== undefined && /^net\.(ipv4|ipv6|mpls)\.[a-z]+\.(IFNAME|ifname)\.[a-z0-9_]+$/.test(name.trim()))
			return [];
		return [
			`unrecognised network interface sysctl '${pair}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
		];
	});
}
