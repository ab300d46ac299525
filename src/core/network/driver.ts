/** A network as its driver needs it. Stored as part of the network's record. */
export type DriverNetwork = BridgeNetwork | ParentNetwork;

/** A network whose containers get interfaces on one of the host's: they are on the wire with addresses of their own. */
export interface ParentNetwork {
	readonly kind: ParentKind;
	/** 64-digit network ID. */
	readonly id: string;
	/** The host's interface. `eth0.10`, a VLAN, is made when it is not there; `dm-…` is the network's own and leads nowhere. */
	readonly parent: string;
	readonly mode: MacvlanMode | IpvlanMode;
	/** ipvlan alone. */
	readonly flag?: IpvlanFlag;
	/** Absent: the parent's. */
	readonly mtu?: number;
	/** No default route, whatever the gateway. */
	readonly internal: boolean;
}

export type ParentKind = "macvlan" | "ipvlan";
export type MacvlanMode = "bridge" | "private" | "passthru" | "vepa";
export type IpvlanMode = "l2" | "l3" | "l3s";
export type IpvlanFlag = "bridge" | "private" | "vepa";

export interface BridgeNetwork {
	/** Absent, or `bridge`: what tells it from the others. */
	readonly kind?: "bridge";
	/** 64-digit network ID. */
	readonly id: string;
	/** Linux interface name of the bridge, at most 15 bytes. */
	readonly bridge: string;
	/** IPv4 subnet in CIDR form, e.g. `172.18.0.0/16`; absent where the network has no IPv4. */
	readonly subnet?: string;
	/** The bridge's own address, which containers route to; absent in the gateway mode `isolated`. */
	readonly gateway?: string;
	/** IPv6 subnet and gateway where the network has IPv6. */
	readonly subnet6?: string;
	readonly gateway6?: string;
	/** Where containers' default routes go; absent: the gateway (`default-gateway`). */
	readonly nextHop?: string;
	readonly nextHop6?: string;
	/** How IPv4 gets in and out; absent means `nat`. */
	readonly gatewayMode?: GatewayMode;
	readonly gatewayMode6?: GatewayMode;
	/** Source address of what leaves through NAT; absent: the address of the interface it leaves by. */
	readonly sourceAddress?: string;
	readonly sourceAddress6?: string;
	/** The gateway is somebody else's address: the bridge itself gets none (IPv4). */
	readonly inhibitAddress?: boolean;
	readonly mtu: number;
	/** Containers of this network may talk to one another. */
	readonly interContainer: boolean;
	/** Source NAT towards other interfaces. */
	readonly masquerade: boolean;
	/** No way in or out but the bridge itself. */
	readonly internal: boolean;
	/** Host interfaces from which published ports are reached at the containers' own addresses, too. `*`: all of them. */
	readonly trustedInterfaces?: readonly string[];
}

export function isBridge(network: DriverNetwork): network is BridgeNetwork {
	return network.kind === undefined || network.kind === "bridge";
}

/**
 * `nat`: out by masquerading, in by published ports alone. `nat-unprotected`: in to every port of a container as well, for who
 * has a route. `routed`: no translation at all, published ports are opened. `isolated`: the host has no address on the bridge.
 */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

export type TransportProtocol = "tcp" | "udp" | "sctp";

/** A port to publish. `hostPortStart` 0 means any free port; a range means the first free one of it. */
export interface PortRequest {
	readonly protocol: TransportProtocol;
	readonly containerPort: number;
	/** `0.0.0.0`, `::`, or one address of the host. */
	readonly hostAddress: string;
	readonly hostPortStart: number;
	readonly hostPortEnd: number;
}

/** A listening (TCP) or bound (UDP) host socket that the monitor keeps open while the container lives, and relays from. */
export interface PortRelay {
	/** Descriptor in the daemon; the caller closes it when `launch` has returned. */
	readonly fd: number;
	readonly protocol: "tcp" | "udp";
	readonly containerAddress: string;
	readonly containerPort: number;
}

/** A published port, settled. */
export interface PortMapping {
	readonly protocol: TransportProtocol;
	readonly containerPort: number;
	readonly hostAddress: string;
	readonly hostPort: number;
}

/** Host sockets that hold the published ports, so that nobody else can bind them. */
export interface PortReservation {
	readonly mappings: readonly PortMapping[];
	/** Descriptors for the monitor, which keeps them for the container's life; `release` closes the daemon's own copies. */
	relays(containerAddress: string): readonly PortRelay[];
	release(): void;
}

/** One container's place on a bridge network. Addresses are decided by the caller (IPAM). */
export interface EndpointPlan {
	readonly endpointId: string;
	readonly containerId: string;
	/** Name inside the container: `eth0`. */
	readonly interfaceName: string;
	/** CIDR form, e.g. `172.18.0.2/16`. */
	readonly address?: string;
	readonly address6?: string;
	/** Further addresses, CIDR form, that nobody allocates (`LinkLocalIPs`). */
	readonly linkLocalAddresses?: readonly string[];
	readonly macAddress: string;
	/** The container's default route goes through this gateway; empty: straight onto the link. Absent: it goes elsewhere. */
	readonly gateway?: string;
	readonly gateway6?: string;
	/** `net.*` sysctls of this interface alone, by full name. */
	readonly sysctls?: Readonly<Record<string, string>>;
	readonly mappings: readonly PortMapping[];
}

/** A default route of a sandbox. */
export interface SandboxGateway {
	readonly interfaceName: string;
	/** Empty: straight onto the link (ipvlan `l3`). */
	readonly gateway: string;
}

/** A container's network namespace, bound to a file so that it lives without a process. */
export interface NetworkSandbox {
	readonly containerId: string;
	/** Path of the bound namespace file under `<exec-root>/netns/`. */
	readonly path: string;
}

/** What the driver finds on the machine, for recovery and leak checks. */
export interface NetworkInventory {
	/** IDs of containers that have a namespace file. */
	readonly sandboxes: readonly string[];
	/** Endpoint IDs that have firewall or NAT state. */
	readonly endpoints: readonly string[];
}

/**
 * Sandboxes and endpoints. Every method is idempotent towards its goal: creating what exists adopts it,
 * removing what is gone succeeds. State in the kernel (links, addresses, rules) outlives the daemon.
 */
export interface NetworkDriver {
	/** Prepares the machine: forwarding, own nftables table. Runs once at start; removes state of endpoints not in `keep`. */
	initialize(keep: { readonly sandboxes: ReadonlySet<string>; readonly endpoints: ReadonlySet<string> }): Promise<void>;
	/**
	 * Creates or repairs the bridge, its addresses and its rules; or a parent that is the network's own.
	 * @throws SystemError, InvalidParameterError no such parent, NotImplementedError the kernel has no such interfaces
	 */
	createNetwork(network: DriverNetwork): Promise<void>;
	/** A parent that was made for networks goes with the last of them. */
	removeNetwork(network: DriverNetwork): Promise<void>;
	/** A namespace with loopback up, from a warm pool when one is ready. */
	createSandbox(
		containerId: string,
		options?: { readonly sysctls?: Readonly<Record<string, string>> },
	): Promise<NetworkSandbox>;
	/**
	 * Removes the namespace and every endpoint in it: rules at once, the interfaces with the namespace, some ten milliseconds
	 * later and without making anybody wait. The cheap way to take a stopped container off its networks.
	 */
	removeSandbox(containerId: string): Promise<void>;
	/**
	 * Binds host ports. All or none.
	 * @throws ConflictError naming the address and port that is in use.
	 */
	reservePorts(requests: readonly PortRequest[]): PortReservation;
	/** Interface, addresses, routes and, in one transaction, the port rules. */
	connect(network: DriverNetwork, sandbox: NetworkSandbox, plan: EndpointPlan): Promise<void>;
	/**
	 * Takes one endpoint off the network at once; its interface disappears a moment later, or with the namespace when
	 * `removeSandbox` follows.
	 * @param options.wait resolve when the interface is gone, for a container that lives on
	 */
	disconnect(
		network: DriverNetwork,
		containerId: string,
		endpointId: string,
		options?: { readonly wait: boolean },
	): Promise<void>;
	/** Replaces the default routes of a sandbox; a family without a gateway loses its one. */
	setGateways(
		sandbox: NetworkSandbox,
		gateways: { readonly v4?: SandboxGateway; readonly v6?: SandboxGateway },
	): Promise<void>;
	/** Replaces the published ports of an endpoint. Ports that another endpoint has are taken over in one transaction. */
	publish(endpointId: string, mappings: readonly PortMapping[]): Promise<void>;
	/** Interface counters inside a sandbox, for stats. */
	statistics(containerId: string): Promise<Readonly<Record<string, InterfaceStatistics>>>;
	inventory(): Promise<NetworkInventory>;
	/** Subnets the host has addresses in or routes to, CIDR form, for choosing a free one. Default routes are left out. */
	occupiedSubnets(): Promise<readonly string[]>;
	/** Drops the warm pool and closes sockets; leaves running containers' state alone. */
	close(): Promise<void>;
}

export interface InterfaceStatistics {
	readonly rxBytes: number;
	readonly rxPackets: number;
	readonly rxErrors: number;
	readonly rxDropped: number;
	readonly txBytes: number;
	readonly txPackets: number;
	readonly txErrors: number;
	readonly txDropped: number;
}
