/** Options of the drivers `macvlan` and `ipvlan` (`-o`), in Docker's names and words. Others are kept and shown. */
import { ForbiddenError, InvalidParameterError } from "../../base/errors.ts";
import type { IpvlanFlag, IpvlanMode, MacvlanMode, ParentKind, ParentNetwork } from "./driver.ts";
import type { NetworkRecord } from "./network-record.ts";

const PARENT = "parent";
const MACVLAN_MODE = "macvlan_mode";
const IPVLAN_MODE = "ipvlan_mode";
const IPVLAN_FLAG = "ipvlan_flag";
const MACVLAN_MODES: readonly MacvlanMode[] = ["bridge", "private", "passthru", "vepa"];
const IPVLAN_MODES: readonly IpvlanMode[] = ["l2", "l3", "l3s"];
const IPVLAN_FLAGS: readonly IpvlanFlag[] = ["bridge", "private", "vepa"];
const MAX_NAME_BYTES = 15;

export function isParentKind(driver: string): driver is ParentKind {
	return driver === "macvlan" || driver === "ipvlan";
}

/**
 * Without a parent the network has one of its own, which leads nowhere: it is internal.
 * @throws InvalidParameterError
 */
export function planParentNetwork(
	kind: ParentKind,
	id: string,
	options: Readonly<Record<string, string>>,
	internal: boolean,
): ParentNetwork {
	const given = options[PARENT] ?? "";
	if (given === "lo") throw new InvalidParameterError(`loopback interface is not a valid ${kind} parent link`);
	checkName(given);
	const flag = kind === "ipvlan" ? choose(kind, "flag", options[IPVLAN_FLAG] ?? "", IPVLAN_FLAGS) : undefined;
	return {
		kind,
		id,
		parent: given === "" ? ownParentName(id) : given,
		mode:
			kind === "macvlan"
				? choose(kind, "mode", options[MACVLAN_MODE] ?? "", MACVLAN_MODES)
				: choose(kind, "mode", options[IPVLAN_MODE] ?? "", IPVLAN_MODES),
		...(flag === undefined ? {} : { flag }),
		internal: internal || given === "",
	};
}

/** The interface that stands in for a parent: `dm-` and twelve digits of the network's ID. */
export function ownParentName(id: string): string {
	return `dm-${id.slice(0, 12)}`;
}

/** `eth0.10` is VLAN 10 on `eth0`. @throws InvalidParameterError for what is none */
export function parseVlanName(name: string): { readonly parent: string; readonly vlanId: number } {
	if (!name.includes("."))
		throw new InvalidParameterError(`invalid subinterface vlan name ${name}, example formatting is eth0.10`);
	const [parent = "", vlan = "", ...rest] = name.split(".");
	if (rest.length > 0)
		throw new InvalidParameterError(
			`required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${name}`,
		);
	if (!/^[+-]?\d+$/.test(vlan))
		throw new InvalidParameterError(`unable to parse a valid vlan id from: ${vlan} (ex. eth0.10 for vlan 10)`);
	const vlanId = Number(vlan);
	if (vlanId < 1 || vlanId > 4094)
		throw new InvalidParameterError(`vlan id must be between 1-4094, received: ${vlanId}`);
	return { parent, vlanId };
}

/**
 * One parent serves several macvlan networks, unless one of them has it for itself (`passthru`), and one ipvlan network: the
 * kernel knows a single mode for all of an interface.
 * @throws ForbiddenError
 */
export function checkParentIsFree(network: ParentNetwork, existing: readonly NetworkRecord[]): void {
	for (const { id, parent: other } of existing) {
		if (other === undefined || id === network.id || other.parent !== network.parent) continue;
		if (network.kind === "ipvlan" || other.kind === "ipvlan")
			throw new ForbiddenError(`network ${ownParentName(id)} is already using parent interface ${other.parent}`);
		if (network.mode === "passthru")
			throw new ForbiddenError(
				`cannot use mode passthru, macvlan network ${id} is already using parent interface ${other.parent}`,
			);
		if (other.mode === "passthru")
			throw new ForbiddenError(
				`macvlan network ${id} is already using parent interface ${other.parent} in mode passthru`,
			);
	}
}

function choose<T extends string>(
	kind: ParentKind,
	what: string,
	value: string,
	known: readonly [T, ...T[]] | readonly T[],
): T {
	const found = value === "" ? known[0] : known.find((each) => each === value);
	if (found !== undefined) return found;
	const suffix = what === "mode" ? `'${known[0]}' mode` : `'${known[0]}'`;
	throw new InvalidParameterError(
		`requested ${kind} ${what} '${value}' is not valid, ${suffix} is the ${kind} driver default`,
	);
}

/** As the kernel has it (`dev_valid_name`). */
function checkName(name: string): void {
	if (Buffer.byteLength(name) > MAX_NAME_BYTES || name === "." || name === ".." || /[\s/:"]|[^\x20-\x7e]/.test(name))
		throw new InvalidParameterError(`invalid parent interface "${name}"`);
}
