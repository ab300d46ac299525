/** From a create request to the record of a new bridge network. Pure: what the machine has is told, nothing is made. */
import type { IpamConfig, NetworkCreateRequest } from "../../api/engine/network.ts";
import {
	EngineError,
	ForbiddenError,
	InvalidParameterError,
	NotFoundError,
	NotImplementedError,
	SystemError,
} from "../../base/errors.ts";
import { AddressPool } from "./address-pool.ts";
import { BRIDGE_OPTION, type BridgeOptions, parseBridgeOptions } from "./bridge-options.ts";
import type { BridgeNetwork, GatewayMode } from "./driver.ts";
import { contains, formatSubnet, overlaps, parseCidr, parseSubnet, type Subnet, tryParseIp } from "./ip-address.ts";
import { isPredefinedNetwork, type NetworkRecord, type NetworkSubnet } from "./network-record.ts";
import { chooseSubnet, type SubnetPool } from "./subnet-choice.ts";

export interface NetworkCreationInput {
	readonly id: string;
	readonly createdAt: number;
	readonly request: NetworkCreateRequest;
	/** Networks that exist. */
	readonly existing: readonly NetworkRecord[];
	/** Destinations of the host's routes and addresses, CIDR form: what a chosen subnet must not overlap. */
	readonly hostSubnets: readonly string[];
	readonly pools: readonly SubnetPool[];
	/** Pool of unique local addresses that IPv6 subnets are cut from. */
	readonly pool6: readonly SubnetPool[];
	readonly defaultMtu: number;
}

/** A network as it shall be, and whether each family's subnet was asked for. */
interface FamilyPlan {
	readonly subnet: string;
	readonly gateway: string;
	readonly range?: string;
	readonly shown: NetworkSubnet;
	readonly fromUser: boolean;
}

/** What is wrong with a name, before anything else is looked at. @throws InvalidParameterError, ForbiddenError */
export function checkNetworkName(name: string): void {
	if (name.trim() === "") throw new InvalidParameterError("invalid name: name is empty");
	if (isPredefinedNetwork(name) || name === "default" || name === "container")
		throw new ForbiddenError(`operation is not permitted on predefined ${name} network `);
}

/** @throws InvalidParameterError, ForbiddenError, NotFoundError, NotImplementedError, UnavailableError */
export function planNetwork(input: NetworkCreationInput): NetworkRecord {
	const { request, existing } = input;
	checkDriver(request);
	const options = { ...request.Options };
	const parsed = parseBridgeOptions(options);
	const enableIpv4 = request.EnableIPv4 ?? parsed.enableIpv4 ?? true;
	const enableIpv6 = request.EnableIPv6 ?? parsed.enableIpv6 ?? false;
	const internal = request.Internal === true || parsed.internal;
	const configs = checkedConfigs(request.IPAM?.Config ?? [], enableIpv6);
	if (!enableIpv4 && !enableIpv6) throw new InvalidParameterError("IPv4 or IPv6 must be enabled");
	checkGatewayModes(parsed, internal);
	const bridge = parsed.name === "" ? `br-${input.id.slice(0, 12)}` : parsed.name;
	checkBridgeIsFree(bridge, input.id, existing);
	const v4 = enableIpv4 ? planFamily(4, configs, input, input.pools) : undefined;
	const v6 = enableIpv6 ? planFamily(6, configs, input, input.pool6) : undefined;
	const disabled = configs
		.filter(({ Subnet = "" }) => !(Subnet.includes(":") ? enableIpv6 : enableIpv4))
		.map(shownAsGiven);
	return {
		id: input.id,
		name: request.Name,
		createdAt: input.createdAt,
		driver: "bridge",
		enableIpv4,
		enableIpv6,
		internal,
		attachable: request.Attachable === true,
		labels: { ...request.Labels },
		options,
		ipam: [
			...disabled,
			...(v4 === undefined ? [] : [withoutGateway(v4, parsed.gatewayMode)]),
			...(v6 === undefined ? [] : [withoutGateway(v6, parsed.gatewayMode6)]),
		],
		ipamOptions: request.IPAM?.Options ?? null,
		userSubnets: { v4: v4?.fromUser === true, v6: v6?.fromUser === true },
		bridge: {
			id: input.id,
			bridge,
			...ipv4Part(v4, parsed),
			...ipv6Part(v6, parsed),
			mtu: parsed.mtu === 0 ? input.defaultMtu : parsed.mtu,
			interContainer: parsed.interContainer,
			masquerade: parsed.masquerade,
			internal,
		},
	};
}

/** Nobody has the gateway's address where the host is not on the bridge. */
function withoutGateway({ shown, fromUser }: FamilyPlan, mode: GatewayMode): NetworkSubnet {
	return mode === "isolated" && !fromUser ? { subnet: shown.subnet } : shown;
}

function ipv4Part(plan: FamilyPlan | undefined, options: BridgeOptions): Partial<BridgeNetwork> {
	if (plan === undefined) return {};
	return {
		subnet: plan.subnet,
		...(options.gatewayMode === "isolated" ? {} : { gateway: plan.gateway }),
		...modePart("gatewayMode", options.gatewayMode),
		...(options.sourceAddress === "" ? {} : { sourceAddress: options.sourceAddress }),
		...(options.inhibitAddress ? { inhibitAddress: true } : {}),
	};
}

function ipv6Part(plan: FamilyPlan | undefined, options: BridgeOptions): Partial<BridgeNetwork> {
	if (plan === undefined) return {};
	return {
		subnet6: plan.subnet,
		...(options.gatewayMode6 === "isolated" ? {} : { gateway6: plan.gateway }),
		...modePart("gatewayMode6", options.gatewayMode6),
		...(options.sourceAddress6 === "" ? {} : { sourceAddress6: options.sourceAddress6 }),
	};
}

function modePart(key: "gatewayMode" | "gatewayMode6", mode: GatewayMode): Partial<BridgeNetwork> {
	return mode === "nat" ? {} : { [key]: mode };
}

const LATER_DRIVERS: readonly string[] = ["macvlan", "ipvlan"];

function checkDriver(request: NetworkCreateRequest): void {
	const driver = request.Driver || "bridge";
	const name = request.Name;
	if (request.Ingress === true) throw new ForbiddenError("Ingress network can only be global scope network");
	if (request.Scope !== undefined && !["", "local"].includes(request.Scope))
		throw new ForbiddenError("cannot create a swarm scoped network when swarm is not active");
	if (driver === "overlay")
		throw new ForbiddenError(
			'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
		);
	if (driver === "host" || driver === "null" || driver === "none")
		throw new ForbiddenError(`only one instance of "${driver}" network is allowed`);
	if (LATER_DRIVERS.includes(driver))
		throw new NotImplementedError(`cannot create network ${name}: the driver ${driver} is not supported yet`);
	if (driver !== "bridge") throw new NotFoundError(`plugin "${driver}" not found`);
	if (request.ConfigOnly === true || (request.ConfigFrom?.Network ?? "") !== "")
		throw new NotImplementedError(`cannot create network ${name}: configuration-only networks are not supported yet`);
	const ipamDriver = request.IPAM?.Driver ?? "";
	if (ipamDriver !== "" && ipamDriver !== "default") throw new NotFoundError(`plugin "${ipamDriver}" not found`);
}

/** Everything that is wrong, one fault a line, as Docker puts it. */
function checkedConfigs(configs: readonly IpamConfig[], enableIpv6: boolean): readonly IpamConfig[] {
	const faults = configs.flatMap((config) => configFaults(config));
	if (faults.length > 0) throw new InvalidParameterError(`invalid network config:\n${bulleted(faults)}`);
	const families = configs.map(({ Subnet = "" }) => (Subnet.includes(":") ? 6 : 4));
	const count = (family: number) => families.filter((each) => each === family).length;
	if (count(4) > 1 || (enableIpv6 && count(6) > 1))
		throw new ForbiddenError("bridge driver doesn't support multiple subnets");
	return configs;
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
	if (IPRange !== "") faults.push(...rangeFaults(IPRange, subnet));
	if (Gateway !== "") faults.push(...addressFaults(`invalid gateway ${Gateway}`, Gateway, subnet));
	for (const [name, auxiliary] of Object.entries(AuxiliaryAddresses ?? {}))
		faults.push(...addressFaults(`invalid auxiliary address ${name}`, auxiliary, subnet));
	return faults;
}

function rangeFaults(text: string, subnet: Subnet): string[] {
	const range = trySubnet(text);
	const prefix = `invalid ip-range ${text}:`;
	if (range === undefined) return [`${prefix} invalid CIDR block notation`];
	if (range.family !== subnet.family) return [`${prefix} it should be an IPv${subnet.family} range`];
	const faults: string[] = [];
	if (range.prefixLength < subnet.prefixLength)
		faults.push(`${prefix} CIDR block is bigger than its parent subnet ${formatSubnet(subnet)}`);
	if (parseCidr(text).address.value !== range.base) faults.push(`${prefix} it should be ${formatSubnet(range)}`);
	if (!contains(subnet, { family: range.family, value: range.base }))
		faults.push(`${prefix} parent subnet ${formatSubnet(subnet)} doesn't contain ip-range`);
	return faults;
}

function addressFaults(prefix: string, text: string, subnet: Subnet): string[] {
	const address = tryParseIp(text);
	if (address === undefined) return [`${prefix}: invalid address`];
	if (address.family !== subnet.family) return [`${prefix}: parent subnet is an IPv${subnet.family} block`];
	if (!contains(subnet, address))
		return [`${prefix}: parent subnet ${formatSubnet(subnet)} doesn't contain this address`];
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

function checkGatewayModes(options: BridgeOptions, internal: boolean): void {
	if (!internal && [options.gatewayMode, options.gatewayMode6].includes("isolated"))
		throw new SystemError("gateway mode 'isolated' can only be used for an internal network");
}

function checkBridgeIsFree(bridge: string, id: string, existing: readonly NetworkRecord[]): void {
	const other = existing.find((record) => record.bridge?.bridge === bridge);
	if (other === undefined) return;
	throw new ForbiddenError(
		`cannot create network ${id} (${bridge}): conflicts with network ${other.id} (${bridge}): networks have same bridge name`,
	);
}

function planFamily(
	family: 4 | 6,
	configs: readonly IpamConfig[],
	{ existing, hostSubnets }: NetworkCreationInput,
	pools: readonly SubnetPool[],
): FamilyPlan {
	const taken = existing.flatMap(({ bridge }) =>
		[bridge?.subnet, bridge?.subnet6].filter((each) => each !== undefined),
	);
	const config = configs.find(({ Subnet = "" }) => Subnet.includes(":") === (family === 6));
	if (config === undefined) {
		const subnet = chooseSubnet(pools, [...taken, ...hostSubnets]);
		const gateway = new AddressPool(subnet).firstUsable();
		return { subnet, gateway, shown: { subnet, gateway }, fromUser: false };
	}
	const subnet = config.Subnet ?? "";
	const wanted = parseSubnet(subnet);
	if (taken.some((other) => overlaps(parseSubnet(other), wanted)))
		throw new ForbiddenError("invalid pool request: Pool overlaps with other one on this address space");
	const auxiliary = Object.values(config.AuxiliaryAddresses ?? {});
	const range = (config.IPRange ?? "") === "" ? {} : { range: config.IPRange ?? "" };
	const gateway = config.Gateway || new AddressPool(subnet, { ...range, reserved: auxiliary }).allocate();
	checkUsable(subnet, gateway, config.AuxiliaryAddresses ?? {});
	return { subnet, gateway, ...range, shown: shownAsGiven(config), fromUser: true };
}

/** The gateway and what others have are taken from the pool like everything else. */
function checkUsable(subnet: string, gateway: string, auxiliary: Readonly<Record<string, string>>): void {
	const pool = new AddressPool(subnet);
	const take = (address: string, what: string) => {
		try {
			pool.reserve(address);
		} catch (cause) {
			if (!(cause instanceof EngineError)) throw cause;
			throw new SystemError(`failed to allocate ${what}: Address already in use`, { cause });
		}
	};
	take(gateway, `gateway (${gateway})`);
	for (const [name, address] of Object.entries(auxiliary)) take(address, `secondary ip address (${name}:${address})`);
}

function shownAsGiven(config: IpamConfig): NetworkSubnet {
	const { Subnet = "", Gateway = "", IPRange = "", AuxiliaryAddresses } = config;
	const hasAuxiliary = Object.keys(AuxiliaryAddresses ?? {}).length > 0;
	return {
		subnet: Subnet,
		...(IPRange === "" ? {} : { range: IPRange }),
		...(Gateway === "" ? {} : { gateway: Gateway }),
		...(hasAuxiliary ? { auxiliary: { ...AuxiliaryAddresses } } : {}),
	};
}

/** Where ports of a network's containers go that name no host address; empty: wherever the daemon says. */
export function hostBindingOf(record: NetworkRecord): string {
	return record.options[BRIDGE_OPTION.hostBinding] ?? "";
}

/** Interfaces of the network's containers: `eth`, or what the network says. */
export function interfacePrefixOf(record: NetworkRecord): string {
	return record.options[BRIDGE_OPTION.interfacePrefix] || "eth";
}
