/**
 * The text of our nftables rules. One table per daemon in each family, `ip` and `ip6`:
 *
 *   prerouting, output (nat)   → publish: destination → container, by the maps `published` (any host address) and
 *                                `published_at` (one host address); the number of published ports does not cost per packet
 *   postrouting (nat)          → nat_to (into a bridge), nat_from (out of it), by interface, a chain for each network
 *   forward (filter)           → from_bridge, to_bridge, likewise; the set `opened` has the published ports of routed networks
 *   gate (filter, input)       the last input chain of all: what comes to a published port and has got so far is sent back in by
 *                              the input gate's interfaces, and only then published (input-gate.ts); the sets `gated` and
 *                              `gated_at` have the ports
 *   shield (filter, prerouting) loopback addresses of the host cannot be addressed from a bridge, though route_localnet is on
 *
 * The set `relayed` names bridges whose containers are kept apart by isolated ports: a translated packet between two of them
 * would be lost on the bridge, so their calls to published ports end at the sockets that hold the ports, and are relayed.
 *
 * "Accept" here ends our own table alone: a drop in the host's firewall still wins. Nothing of ours opens a port that the
 * host's input or forward chains close.
 */

import type { BridgeNetwork, GatewayMode } from "../../core/network/driver.ts";
import { formatSubnet, parseSubnet } from "../../core/network/ip-address.ts";
import { GATE_TARGET, type InputGate } from "./input-gate.ts";
import type { TableFamily } from "./port-elements.ts";

const ADDRESS_TYPE = { ip: "ipv4_addr", ip6: "ipv6_addr" } as const;
/** ::1 cannot be routed to another interface at all: its connections stay with the sockets that hold the ports. */
const LOOPBACK = { ip: "127.0.0.0/8", ip6: "::1/128" } as const;

const INTERFACE_SETS = ["bridges", "relayed"] as const;
const INTERFACE_MAPS = ["from_bridge", "to_bridge", "nat_from", "nat_to"] as const;
/** Behind every input chain that anybody else has, and before connection tracking confirms what was accepted. */
const LAST_INPUT_PRIORITY = 2_000_000_000;
/** Behind the reassembly of fragments (-400), before every prerouting chain that anybody else has. */
const FIRST_PREROUTING_PRIORITY = -399;

/**
 * Table, maps and base chains. Running it again renews the rules of the base chains and leaves elements and networks alone.
 * @param gate the interfaces of the input gate; without them ports are published unasked
 */
export function baseRules(table: string, family: TableFamily, gate?: InputGate): string {
	const address = ADDRESS_TYPE[family];
	const target = `${address} . inet_service`;
	const loopback = `${family} daddr ${LOOPBACK[family]}`;
	const chains: Readonly<Record<string, readonly string[]>> = {
		publish: [
			"fib daddr type != local return",
			`dnat ${family} to ${family} daddr . meta l4proto . th dport map @published_at`,
			`dnat ${family} to meta l4proto . th dport map @published`,
		],
		prerouting: [
			`${loopback} return`,
			"iifname @relayed return",
			// Containers are asked no questions: they are inside already.
			...(gate === undefined ? [] : [`iifname != "${gate.incoming}" iifname != @bridges return`]),
			"jump publish",
		],
		gate: gate === undefined ? [] : gateRules(family, gate),
		output: [...(family === "ip6" ? [`${loopback} return`] : []), "jump publish"],
		postrouting: ["oifname vmap @nat_to", "iifname vmap @nat_from"],
		forward: ["iifname vmap @from_bridge", "oifname vmap @to_bridge"],
		shield: [
			`iifname @bridges ${loopback} drop`,
			// The kernel forbids routers to fragment a copy; who sent the packet never did.
			...(gate === undefined || family === "ip6" ? [] : [`iifname "${gate.incoming}" ip frag-off set 0`]),
		],
	};
	const hooks: Readonly<Record<string, string>> = {
		publish: "",
		prerouting: "{ type nat hook prerouting priority -100; }",
		output: "{ type nat hook output priority -100; }",
		postrouting: "{ type nat hook postrouting priority 100; }",
		forward: "{ type filter hook forward priority 0; }",
		shield: `{ type filter hook prerouting priority ${FIRST_PREROUTING_PRIORITY}; }`,
		gate: `{ type filter hook input priority ${LAST_INPUT_PRIORITY}; }`,
	};
	const at = `${family} ${table}`;
	return [
		`add table ${at}`,
		`add map ${at} published { type inet_proto . inet_service : ${target}; }`,
		`add map ${at} published_at { type ${address} . inet_proto . inet_service : ${target}; }`,
		`add set ${at} opened { type ${address} . inet_proto . inet_service; }`,
		`add set ${at} gated { type inet_proto . inet_service; }`,
		`add set ${at} gated_at { type ${address} . inet_proto . inet_service; }`,
		...INTERFACE_MAPS.map((map) => `add map ${at} ${map} { type ifname : verdict; }`),
		...INTERFACE_SETS.map((set) => `add set ${at} ${set} { type ifname; }`),
		...Object.entries(hooks).map(([chain, hook]) => `add chain ${at} ${chain} ${hook}`),
		...Object.entries(chains).flatMap(([chain, rules]) => [
			`flush chain ${at} ${chain}`,
			...rules.map((rule) => `add rule ${at} ${chain} ${rule}`),
		]),
		"",
	].join("\n");
}

/** What was accepted by everybody else and is for a published port comes in once more by the gate. */
function gateRules(family: TableFamily, { outgoing }: InputGate): string[] {
	const again = `dup to ${GATE_TARGET[family]} device "${outgoing}" drop`;
	return [
		"ct state != new return",
		'iifname "lo" return',
		"iifname @bridges return",
		"fib daddr type != local return",
		`${family} daddr . meta l4proto . th dport @gated_at ${again}`,
		`meta l4proto . th dport @gated ${again}`,
	];
}

export function dropTable(table: string, family: TableFamily): string {
	// Adding first makes it succeed when there is none.
	return `add table ${family} ${table}\ndelete table ${family} ${table}\n`;
}

const chainOf = (map: string, network: BridgeNetwork) => `${map}_${network.id.slice(0, 12)}`;

/** Chains of one network and their entries in the interface maps. Idempotent. */
export function networkRules(table: string, family: TableFamily, network: BridgeNetwork): string {
	const subnet = subnetOf(network, family);
	const at = `${family} ${table}`;
	const interfaceName = `"${network.bridge}"`;
	const chains: Readonly<Record<(typeof INTERFACE_MAPS)[number], readonly string[]>> = {
		from_bridge: network.internal ? [`oifname != ${interfaceName} drop`] : [],
		to_bridge: intoBridge(family, network),
		nat_from: outOfBridge(family, network, subnet),
		nat_to: natIntoBridge(family, subnet),
	};
	return [
		`add element ${at} bridges { ${interfaceName} }`,
		`add element ${at} relayed { ${interfaceName} }`,
		...(network.interContainer ? [`delete element ${at} relayed { ${interfaceName} }`] : []),
		...Object.entries(chains).flatMap(([map, rules]) => {
			const chain = chainOf(map, network);
			return [
				`add chain ${at} ${chain}`,
				`flush chain ${at} ${chain}`,
				...rules.map((rule) => `add rule ${at} ${chain} ${rule}`),
				`add element ${at} ${map} { ${interfaceName} : jump ${chain} }`,
			];
		}),
		"",
	].join("\n");
}

function modeOf(family: TableFamily, network: BridgeNetwork): GatewayMode {
	return (family === "ip" ? network.gatewayMode : network.gatewayMode6) ?? "nat";
}

/** What may be forwarded to the containers of a network. */
function intoBridge(family: TableFamily, network: BridgeNetwork): string[] {
	const mode = modeOf(family, network);
	const icmp = family === "ip" ? "icmp" : "icmpv6";
	const opened = `${family} daddr . meta l4proto . th dport @opened accept`;
	const unasked: Readonly<Record<GatewayMode, readonly string[]>> = {
		nat: ["ct status dnat accept", ...fromTrusted(network).map((source) => `${source}${opened}`)],
		"nat-unprotected": ["accept"],
		routed: [opened, `meta l4proto ${icmp} accept`],
		isolated: [],
	};
	return [
		"ct state established,related accept",
		// Neighbours first: what they may do has nothing to do with the way in from elsewhere.
		...(network.interContainer ? [`iifname "${network.bridge}" accept`] : []),
		...(network.interContainer || mode === "nat" ? [] : ["ct status dnat accept", `iifname "${network.bridge}" drop`]),
		...(network.internal ? [] : unasked[mode]),
		"drop",
	];
}

/** Matches of packets from interfaces that reach published ports without translation; nothing is a match, too. */
function fromTrusted({ trustedInterfaces = [] }: BridgeNetwork): string[] {
	if (trustedInterfaces.length === 0) return [];
	if (trustedInterfaces.includes("*")) return [""];
	return [`iifname { ${trustedInterfaces.map((name) => `"${name}"`).join(", ")} } `];
}

/** Source NAT of what leaves a network by other interfaces. */
function outOfBridge(family: TableFamily, network: BridgeNetwork, subnet: string | undefined): string[] {
	const mode = modeOf(family, network);
	if (!network.masquerade || network.internal || subnet === undefined || mode === "routed") return [];
	const source = family === "ip" ? network.sourceAddress : network.sourceAddress6;
	const action = source === undefined ? "masquerade" : `snat to ${source}`;
	return [`${family} saddr ${subnet} oifname != "${network.bridge}" ${action}`];
}

/**
 * Replies must come back the way the request went: a container that calls another one through a published port would be
 * answered directly, and by an address it never called. A loopback source means nothing in another namespace.
 */
function natIntoBridge(family: TableFamily, subnet: string | undefined): string[] {
	return [
		...(family === "ip" ? [`${family} saddr ${LOOPBACK[family]} masquerade`] : []),
		...(subnet === undefined ? [] : [`${family} saddr ${subnet} ct status dnat masquerade`]),
	];
}

/** Fails when the network is not there. */
export function removeNetworkRules(table: string, family: TableFamily, network: BridgeNetwork): string {
	const at = `${family} ${table}`;
	return [
		...INTERFACE_SETS.flatMap((set) => [
			`add element ${at} ${set} { "${network.bridge}" }`,
			`delete element ${at} ${set} { "${network.bridge}" }`,
		]),
		...INTERFACE_MAPS.map((map) => `delete element ${at} ${map} { "${network.bridge}" }`),
		...INTERFACE_MAPS.map((map) => `delete chain ${at} ${chainOf(map, network)}`),
		"",
	].join("\n");
}

function subnetOf(network: BridgeNetwork, family: TableFamily): string | undefined {
	const cidr = family === "ip" ? network.subnet : network.subnet6;
	return cidr === undefined ? undefined : formatSubnet(parseSubnet(cidr));
}
