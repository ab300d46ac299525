/** The network named `bridge`, as the daemon's configuration wants it. Pure. */
import { InvalidParameterError } from "../../base/errors.ts";
import { AddressPool } from "./address-pool.ts";
import { BRIDGE_OPTION } from "./bridge-options.ts";
import { contains, formatSubnet, parseIp, parseSubnet } from "./ip-address.ts";
import type { NetworkRecord, NetworkSubnet } from "./network-record.ts";
import { chooseSubnet, type SubnetPool } from "./subnet-choice.ts";

/** What the configuration says of one family of the default bridge. */
export interface DefaultBridgeFamily {
	/** `bip`, `bip6`: the bridge's own address, CIDR form. */
	readonly address?: string;
	/** `fixed-cidr`, `fixed-cidr-v6`: where containers' addresses come from; the subnet, too, when there is no address. */
	readonly range?: string;
	/** `default-gateway`, `default-gateway-v6`: the next hop of containers, when it is not the bridge. */
	readonly nextHop?: string;
}

export interface DefaultBridgeInput {
	readonly id: string;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	/** Interface name. */
	readonly bridge: string;
	readonly v4: DefaultBridgeFamily;
	/** Absent: no IPv6. */
	readonly v6?: DefaultBridgeFamily;
	readonly mtu: number;
	readonly interContainer: boolean;
	readonly masquerade: boolean;
	/** Host address ports go to by default (`ip`). */
	readonly hostAddress: string;
	/** As it was at the last start: subnets that were chosen once are kept. */
	readonly stored: NetworkRecord | undefined;
	/** Subnets of other networks and of the host, CIDR form. */
	readonly taken: readonly string[];
	readonly pools: { readonly v4: readonly SubnetPool[]; readonly v6: readonly SubnetPool[] };
}

interface SettledFamily {
	readonly subnet: string;
	readonly gateway: string;
	readonly nextHop?: string;
	readonly shown: NetworkSubnet;
	readonly isConfigured: boolean;
}

/** @throws InvalidParameterError addresses that do not go together, UnavailableError no subnet is left */
export function planDefaultBridge(input: DefaultBridgeInput): NetworkRecord {
	const { id, createdAt, bridge, mtu, interContainer, masquerade, hostAddress, stored, pools } = input;
	const v4 = settle(input.v4, { family: 4, input, pools: pools.v4, kept: keptOf(stored, 4) });
	const v6 =
		input.v6 === undefined
			? undefined
			: settle(input.v6, { family: 6, input, pools: pools.v6, kept: keptOf(stored, 6) });
	const families = [v4, v6].filter((each) => each !== undefined);
	return {
		id,
		name: "bridge",
		createdAt,
		driver: "bridge",
		enableIpv4: true,
		enableIpv6: v6 !== undefined,
		internal: false,
		attachable: false,
		labels: {},
		options: {
			[BRIDGE_OPTION.defaultBridge]: "true",
			[BRIDGE_OPTION.interContainer]: String(interContainer),
			[BRIDGE_OPTION.masquerade]: String(masquerade),
			[BRIDGE_OPTION.hostBinding]: hostAddress,
			[BRIDGE_OPTION.name]: bridge,
			[BRIDGE_OPTION.mtu]: String(mtu),
		},
		// Docker shows what was configured before what was chosen.
		ipam: families.sort((a, b) => Number(b.isConfigured) - Number(a.isConfigured)).map(({ shown }) => shown),
		bridge: {
			id,
			bridge,
			subnet: v4.subnet,
			gateway: v4.gateway,
			...(v4.nextHop !== undefined && { nextHop: v4.nextHop }),
			...(v6 !== undefined && { subnet6: v6.subnet, gateway6: v6.gateway }),
			...(v6?.nextHop !== undefined && { nextHop6: v6.nextHop }),
			mtu,
			interContainer,
			masquerade,
			internal: false,
		},
	};
}

interface KeptFamily {
	readonly subnet: string;
	readonly gateway: string | undefined;
}

function keptOf(stored: NetworkRecord | undefined, family: 4 | 6): KeptFamily | undefined {
	const { subnet, gateway, subnet6, gateway6 } = stored?.bridge ?? {};
	if (family === 6) return subnet6 === undefined ? undefined : { subnet: subnet6, gateway: gateway6 };
	return subnet === undefined ? undefined : { subnet, gateway };
}

interface FamilyContext {
	readonly family: 4 | 6;
	readonly input: DefaultBridgeInput;
	readonly pools: readonly SubnetPool[];
	/** As the bridge has it already. */
	readonly kept: KeptFamily | undefined;
}

function settle(wanted: DefaultBridgeFamily, context: FamilyContext): SettledFamily {
	const { address, range, nextHop } = wanted;
	const isConfigured = address !== undefined || range !== undefined;
	const subnet = subnetOf(wanted, context);
	const own = address?.replace(/\/.*/, "") ?? (subnet === context.kept?.subnet ? context.kept.gateway : undefined);
	const gateway = own ?? new AddressPool(subnet).firstUsable();
	check(subnet, wanted);
	const hidesGateway = isConfigured && address === undefined;
	return {
		subnet,
		gateway,
		...(nextHop !== undefined && nextHop !== gateway && { nextHop }),
		shown: {
			subnet,
			...(range !== undefined && { range }),
			...(hidesGateway ? {} : { gateway }),
			...(nextHop !== undefined && { auxiliary: { [`DefaultGatewayIPv${context.family}`]: nextHop } }),
		},
		isConfigured,
	};
}

/** A range alone is the subnet, unless it is part of the one that the bridge has already. */
function subnetOf({ address, range }: DefaultBridgeFamily, { input, pools, kept }: FamilyContext): string {
	if (address !== undefined) return formatSubnet(parseSubnet(address));
	if (range === undefined) return kept?.subnet ?? chooseSubnet(pools, input.taken);
	return kept !== undefined && isWithin(kept.subnet, range) ? kept.subnet : formatSubnet(parseSubnet(range));
}

function isWithin(subnet: string, part: string): boolean {
	const [whole, inner] = [parseSubnet(subnet), parseSubnet(part)];
	return contains(whole, { family: inner.family, value: inner.base }) && inner.prefixLength >= whole.prefixLength;
}

function check(subnet: string, { range, nextHop }: DefaultBridgeFamily): void {
	if (range !== undefined && !isWithin(subnet, range))
		throw new InvalidParameterError(`fixed range ${range} of the default bridge is not within its subnet ${subnet}`);
	if (nextHop !== undefined && !contains(parseSubnet(subnet), parseIp(nextHop)))
		throw new InvalidParameterError(
			`default gateway ${nextHop} of the default bridge is not within its subnet ${subnet}`,
		);
}
