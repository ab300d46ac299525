/** The subnets of a new network: those that were asked for, or one of the pools'. Pure. */
import type { IpamConfig } from "../../api/engine/network.ts";
import { EngineError, ForbiddenError, SystemError } from "../../base/errors.ts";
import { AddressPool } from "./address-pool.ts";
import { overlaps, parseSubnet } from "./ip-address.ts";
import type { NetworkSubnet } from "./network-record.ts";
import { chooseSubnet, type SubnetPool } from "./subnet-choice.ts";

export interface SubnetPlanInput {
	readonly family: 4 | 6;
	/** Of both families. */
	readonly configs: readonly IpamConfig[];
	/** What other networks have, CIDR form: nobody may have it twice. */
	readonly taken: readonly string[];
	/** What the host reaches already: nothing is chosen there. */
	readonly hostSubnets: readonly string[];
	readonly pools: readonly SubnetPool[];
	/** Whether the network needs an address for the host in each subnet. */
	readonly hasGateway: boolean;
}

export interface PlannedSubnet {
	readonly subnet: string;
	/** Absent where the network needs none and none was asked for. */
	readonly gateway?: string;
	readonly range?: string;
	/** As the API shows it. */
	readonly shown: NetworkSubnet;
	readonly fromUser: boolean;
}

/** @throws ForbiddenError when subnets overlap, UnavailableError when none is left, SystemError for a gateway nobody can have */
export function planSubnets(input: SubnetPlanInput): readonly PlannedSubnet[] {
	const { family, configs, taken, hasGateway } = input;
	const own = configs.filter(({ Subnet = "" }) => Subnet.includes(":") === (family === 6));
	if (own.length === 0) {
		const subnet = chooseSubnet(input.pools, [...taken, ...input.hostSubnets]);
		if (!hasGateway) return [{ subnet, shown: { subnet }, fromUser: false }];
		const gateway = new AddressPool(subnet).firstUsable();
		return [{ subnet, gateway, shown: { subnet, gateway }, fromUser: false }];
	}
	const occupied = [...taken];
	return own.map((config) => {
		const planned = planAsked(config, occupied, hasGateway);
		occupied.push(planned.subnet);
		return planned;
	});
}

function planAsked(config: IpamConfig, taken: readonly string[], hasGateway: boolean): PlannedSubnet {
	const subnet = config.Subnet ?? "";
	const wanted = parseSubnet(subnet);
	if (taken.some((other) => overlaps(parseSubnet(other), wanted)))
		throw new ForbiddenError("invalid pool request: Pool overlaps with other one on this address space");
	const auxiliary = Object.values(config.AuxiliaryAddresses ?? {});
	const range = (config.IPRange ?? "") === "" ? {} : { range: config.IPRange ?? "" };
	const chosen = () => new AddressPool(subnet, { ...range, reserved: auxiliary }).allocate();
	const gateway = config.Gateway || (hasGateway ? chosen() : undefined);
	checkUsable(subnet, gateway, config.AuxiliaryAddresses ?? {});
	const shown = shownAsGiven(config);
	return { subnet, ...(gateway === undefined ? {} : { gateway }), ...range, shown, fromUser: true };
}

/** The gateway and what others have are taken from the pool like everything else. */
function checkUsable(subnet: string, gateway: string | undefined, auxiliary: Readonly<Record<string, string>>): void {
	const pool = new AddressPool(subnet);
	const take = (address: string, what: string) => {
		try {
			pool.reserve(address);
		} catch (cause) {
			if (!(cause instanceof EngineError)) throw cause;
			throw new SystemError(`failed to allocate ${what}: Address already in use`, { cause });
		}
	};
	if (gateway !== undefined) take(gateway, `gateway (${gateway})`);
	for (const [name, address] of Object.entries(auxiliary)) take(address, `secondary ip address (${name}:${address})`);
}

export function shownAsGiven(config: IpamConfig): NetworkSubnet {
	const { Subnet = "", Gateway = "", IPRange = "", AuxiliaryAddresses } = config;
	const hasAuxiliary = Object.keys(AuxiliaryAddresses ?? {}).length > 0;
	return {
		subnet: Subnet,
		...(IPRange === "" ? {} : { range: IPRange }),
		...(Gateway === "" ? {} : { gateway: Gateway }),
		...(hasAuxiliary ? { auxiliary: { ...AuxiliaryAddresses } } : {}),
	};
}
