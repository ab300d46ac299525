/** From a create request to the record of a new network. Pure: what the machine has is told, nothing is made. */
import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { ForbiddenError, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import { BRIDGE_OPTION, type BridgeOptions, parseBridgeOptions } from "./bridge-options.ts";
import { configurationRecord, withConfiguration } from "./configuration-network.ts";
import type { BridgeNetwork, GatewayMode, ParentKind } from "./driver.ts";
import { checkIpamConfigs } from "./ipam-faults.ts";
import { isPredefinedNetwork, type NetworkRecord, type NetworkSubnet } from "./network-record.ts";
import { checkParentIsFree, isParentKind, planParentNetwork } from "./parent-options.ts";
import type { SubnetPool } from "./subnet-choice.ts";
import { type PlannedSubnet, planSubnets, shownAsGiven } from "./subnet-plan.ts";

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
	/** By driver: options of networks that do not say otherwise (`default-network-opts`). */
	readonly defaultOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What is wrong with a name, before anything else is looked at. @throws InvalidParameterError, ForbiddenError */
export function checkNetworkName(name: string): void {
	if (name.trim() === "") throw new InvalidParameterError("invalid name: name is empty");
	if (isPredefinedNetwork(name) || name === "default")
		throw new ForbiddenError(`operation is not permitted on predefined ${name} network `);
}

/** @throws InvalidParameterError, ForbiddenError, NotFoundError, UnavailableError, SystemError */
export function planNetwork(input: NetworkCreationInput): NetworkRecord {
	const driver = checkedDriver(input.request);
	checkIpamConfigs(input.request.IPAM?.Config ?? []);
	const asked = withDefaults(input.request, input.defaultOptions?.[driver] ?? {});
	if (asked.ConfigOnly === true) return configurationRecord(input.id, input.createdAt, asked);
	const request = withConfiguration(asked, input.existing);
	checkIpamDriver(request.IPAM?.Driver ?? "");
	const settled = { ...input, request };
	return driver === "bridge" ? planBridge(settled) : planOnParent(settled, driver);
}

/** What the request says itself wins; a network from a configuration has that one's options and no others. */
function withDefaults(request: NetworkCreateRequest, defaults: Readonly<Record<string, string>>): NetworkCreateRequest {
	if ((request.ConfigFrom?.Network ?? "") !== "") return request;
	const overruled: ReadonlySet<string> = new Set([
		...(request.EnableIPv4 === undefined ? [] : [BRIDGE_OPTION.enableIpv4]),
		...(request.EnableIPv6 === undefined ? [] : [BRIDGE_OPTION.enableIpv6]),
	]);
	const wanted = Object.entries(defaults).filter(([name]) => !overruled.has(name));
	return wanted.length === 0 ? request : { ...request, Options: { ...Object.fromEntries(wanted), ...request.Options } };
}

function planBridge(input: NetworkCreationInput): NetworkRecord {
	const { request, existing } = input;
	const options = { ...request.Options };
	const parsed = parseBridgeOptions(options);
	const families = enabledFamilies(request, parsed);
	const internal = request.Internal === true || parsed.internal;
	checkSingleSubnets(request, families.v6);
	checkGatewayModes(parsed, internal);
	const bridge = parsed.name === "" ? `br-${input.id.slice(0, 12)}` : parsed.name;
	checkBridgeIsFree(bridge, input.id, existing);
	const [v4] = families.v4 ? subnetsOf(4, input, parsed.gatewayMode !== "isolated") : [];
	const [v6] = families.v6 ? subnetsOf(6, input, parsed.gatewayMode6 !== "isolated") : [];
	return {
		...commonPart(input, families, { v4: v4 ? [v4] : [], v6: v6 ? [v6] : [] }),
		driver: "bridge",
		internal,
		bridge: {
			id: input.id,
			bridge,
			...ipv4Part(v4, parsed),
			...ipv6Part(v6, parsed),
			mtu: parsed.mtu === 0 ? input.defaultMtu : parsed.mtu,
			interContainer: parsed.interContainer,
			masquerade: parsed.masquerade,
			internal,
			...(parsed.trustedInterfaces.length === 0 ? {} : { trustedInterfaces: parsed.trustedInterfaces }),
		},
	};
}

/** Addresses of the wire that the parent is on: the gateway is somebody else, or there is none. */
function planOnParent(input: NetworkCreationInput, kind: ParentKind): NetworkRecord {
	const { request, existing } = input;
	const options = { ...request.Options };
	const parsed = parseBridgeOptions(familyOptions(options));
	const families = enabledFamilies(request, parsed);
	const parent = planParentNetwork(kind, input.id, options, request.Internal === true);
	checkParentIsFree(parent, existing);
	const v4 = families.v4 ? subnetsOf(4, input, false) : [];
	const v6 = families.v6 ? subnetsOf(6, input, false) : [];
	return {
		...commonPart(input, families, { v4, v6 }),
		driver: kind,
		internal: request.Internal === true,
		parent: parsed.mtu === 0 ? parent : { ...parent, mtu: parsed.mtu },
	};
}

/** Of the common options those that do not belong to bridges alone. */
function familyOptions(options: Readonly<Record<string, string>>): Record<string, string> {
	const names: readonly string[] = [BRIDGE_OPTION.enableIpv4, BRIDGE_OPTION.enableIpv6, BRIDGE_OPTION.mtu];
	return Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)));
}

interface Families {
	readonly v4: boolean;
	readonly v6: boolean;
}

function enabledFamilies(request: NetworkCreateRequest, options: BridgeOptions): Families {
	const v4 = request.EnableIPv4 ?? options.enableIpv4 ?? true;
	const v6 = request.EnableIPv6 ?? options.enableIpv6 ?? false;
	if (!v4 && !v6) throw new InvalidParameterError("IPv4 or IPv6 must be enabled");
	return { v4, v6 };
}

function subnetsOf(family: 4 | 6, input: NetworkCreationInput, hasGateway: boolean): readonly PlannedSubnet[] {
	return planSubnets({
		family,
		configs: input.request.IPAM?.Config ?? [],
		taken: input.existing.flatMap(occupiedSubnets),
		hostSubnets: input.hostSubnets,
		pools: family === 4 ? input.pools : input.pool6,
		hasGateway,
	});
}

/** Subnets that a network gives addresses from; a configuration for others, and a family that is off, have none. */
export function occupiedSubnets({ bridge, parent, ipam, enableIpv4, enableIpv6 }: NetworkRecord): string[] {
	if (bridge !== undefined) return [bridge.subnet, bridge.subnet6].filter((each) => each !== undefined);
	if (parent === undefined) return [];
	return ipam.map(({ subnet }) => subnet).filter((subnet) => (subnet.includes(":") ? enableIpv6 : enableIpv4));
}

function commonPart(
	{ id, createdAt, request }: NetworkCreationInput,
	families: Families,
	planned: { readonly v4: readonly PlannedSubnet[]; readonly v6: readonly PlannedSubnet[] },
): Omit<NetworkRecord, "driver" | "internal"> {
	const configFrom = request.ConfigFrom?.Network ?? "";
	const disabled: readonly NetworkSubnet[] = (request.IPAM?.Config ?? [])
		.filter(({ Subnet = "" }) => !(Subnet.includes(":") ? families.v6 : families.v4))
		.map(shownAsGiven);
	return {
		id,
		name: request.Name,
		createdAt,
		enableIpv4: families.v4,
		enableIpv6: families.v6,
		attachable: request.Attachable === true,
		labels: { ...request.Labels },
		options: { ...request.Options },
		ipam: [...disabled, ...[...planned.v4, ...planned.v6].map(({ shown }) => shown)],
		ipamOptions: request.IPAM?.Options ?? null,
		userSubnets: {
			v4: planned.v4.some(({ fromUser }) => fromUser),
			v6: planned.v6.some(({ fromUser }) => fromUser),
		},
		...(configFrom === "" ? {} : { configFrom }),
	};
}

function ipv4Part(plan: PlannedSubnet | undefined, options: BridgeOptions): Partial<BridgeNetwork> {
	if (plan === undefined) return {};
	const hasGateway = plan.gateway !== undefined && options.gatewayMode !== "isolated";
	return {
		subnet: plan.subnet,
		...(hasGateway ? { gateway: plan.gateway } : {}),
		...modePart("gatewayMode", options.gatewayMode),
		...(options.sourceAddress === "" ? {} : { sourceAddress: options.sourceAddress }),
		...(options.inhibitAddress ? { inhibitAddress: true } : {}),
	};
}

function ipv6Part(plan: PlannedSubnet | undefined, options: BridgeOptions): Partial<BridgeNetwork> {
	if (plan === undefined) return {};
	const hasGateway = plan.gateway !== undefined && options.gatewayMode6 !== "isolated";
	return {
		subnet6: plan.subnet,
		...(hasGateway ? { gateway6: plan.gateway } : {}),
		...modePart("gatewayMode6", options.gatewayMode6),
		...(options.sourceAddress6 === "" ? {} : { sourceAddress6: options.sourceAddress6 }),
	};
}

function modePart(key: "gatewayMode" | "gatewayMode6", mode: GatewayMode): Partial<BridgeNetwork> {
	return mode === "nat" ? {} : { [key]: mode };
}

function checkedDriver(request: NetworkCreateRequest): "bridge" | ParentKind {
	const driver = request.Driver || "bridge";
	if (request.Ingress === true && request.ConfigOnly !== true)
		throw new ForbiddenError("Ingress network can only be global scope network");
	if (request.Scope === "swarm" || request.Scope === "global")
		throw new ForbiddenError("cannot create a swarm scoped network when swarm is not active");
	if (driver === "overlay")
		throw new ForbiddenError(
			'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
		);
	if (driver === "host" || driver === "null" || driver === "none")
		throw new ForbiddenError(`only one instance of "${driver}" network is allowed`);
	if (driver !== "bridge" && !isParentKind(driver)) throw new NotFoundError(`plugin "${driver}" not found`);
	return driver;
}

function checkIpamDriver(driver: string): void {
	// The driver for networks without addresses.
	if (driver === "null") throw new InvalidParameterError("ipv4 pool is empty");
	if (driver !== "" && driver !== "default") throw new NotFoundError(`plugin "${driver}" not found`);
}

function checkSingleSubnets({ IPAM }: NetworkCreateRequest, enableIpv6: boolean): void {
	const families = (IPAM?.Config ?? []).map(({ Subnet = "" }) => (Subnet.includes(":") ? 6 : 4));
	const count = (family: number) => families.filter((each) => each === family).length;
	if (count(4) > 1 || (enableIpv6 && count(6) > 1))
		throw new ForbiddenError("bridge driver doesn't support multiple subnets");
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

/** Where ports of a network's containers go that name no host address; empty: wherever the daemon says. */
export function hostBindingOf(record: NetworkRecord): string {
	return record.options[BRIDGE_OPTION.hostBinding] ?? "";
}

/** Interfaces of the network's containers: `eth`, or what the network says. */
export function interfacePrefixOf(record: NetworkRecord): string {
	return record.options[BRIDGE_OPTION.interfacePrefix] || "eth";
}
