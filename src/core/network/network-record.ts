/** The stored truth about one network. */
import type { BridgeNetwork, DriverNetwork, ParentKind, ParentNetwork } from "./driver.ts";

/** `default` is what a container gets when it names no network. */
export const PREDEFINED_NETWORKS = ["bridge", "host", "none"] as const;
export type PredefinedNetwork = (typeof PREDEFINED_NETWORKS)[number];

export type NetworkDriverName = "bridge" | "host" | "null" | ParentKind;

export interface NetworkRecord {
	/** 64 hexadecimal digits. Immutable. */
	readonly id: string;
	/** Unique. Immutable. */
	readonly name: string;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	readonly driver: NetworkDriverName;
	readonly enableIpv4: boolean;
	readonly enableIpv6: boolean;
	readonly internal: boolean;
	readonly attachable: boolean;
	readonly labels: Readonly<Record<string, string>>;
	/** Driver options as given or as Docker shows them for the default bridge. */
	readonly options: Readonly<Record<string, string>>;
	/** Subnets, CIDR form, as asked for or as chosen; empty for host and none. Of families that are off, too. */
	readonly ipam: readonly NetworkSubnet[];
	/** Name of the driver of address management; absent: `default`, the only one that gives addresses. */
	readonly ipamDriver?: string;
	/** Options for address management, shown and not used by anything; null when none were sent. */
	readonly ipamOptions?: Readonly<Record<string, string>> | null;
	/** The user chose the subnets, by family: only there may he choose addresses, too. */
	readonly userSubnets?: { readonly v4: boolean; readonly v6: boolean };
	/** Present for bridges alone. */
	readonly bridge?: BridgeNetwork;
	/** Present for networks on an interface of the host alone (macvlan, ipvlan). */
	readonly parent?: ParentNetwork;
	/** Nothing but a configuration that other networks are made from. */
	readonly configOnly?: true;
	/** Name of the configuration network this one was made from. */
	readonly configFrom?: string;
}

/** What the driver makes; undefined for host, none and configurations. */
export function driverNetworkOf({ bridge, parent }: NetworkRecord): DriverNetwork | undefined {
	return bridge ?? parent;
}

export interface NetworkSubnet {
	readonly subnet: string;
	readonly gateway?: string;
	/** Part of the subnet that addresses are given out from. */
	readonly range?: string;
	/** Taken by others, by name. */
	readonly auxiliary?: Readonly<Record<string, string>>;
}

export function isPredefinedNetwork(name: string): name is PredefinedNetwork {
	return PREDEFINED_NETWORKS.some((predefined) => predefined === name);
}

/** The networks named `host` and `none`. */
export function builtinRecord(name: "host" | "none", id: string, createdAt: number): NetworkRecord {
	return {
		id,
		name,
		createdAt,
		driver: name === "host" ? "host" : "null",
		enableIpv4: true,
		enableIpv6: false,
		internal: false,
		attachable: false,
		labels: {},
		options: {},
		ipam: [],
	};
}
