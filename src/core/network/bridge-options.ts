/** Options of the bridge driver (`-o`), in Docker's names and words. Labels nobody knows are kept and shown, as Docker does. */
import { InvalidParameterError } from "../../base/errors.ts";
import type { GatewayMode } from "./driver.ts";
import { tryParseIp } from "./ip-address.ts";

export const BRIDGE_OPTION = {
	name: "com.docker.network.bridge.name",
	interContainer: "com.docker.network.bridge.enable_icc",
	masquerade: "com.docker.network.bridge.enable_ip_masquerade",
	hostBinding: "com.docker.network.bridge.host_binding_ipv4",
	inhibitAddress: "com.docker.network.bridge.inhibit_ipv4",
	gatewayMode: "com.docker.network.bridge.gateway_mode_ipv4",
	gatewayMode6: "com.docker.network.bridge.gateway_mode_ipv6",
	trustedInterfaces: "com.docker.network.bridge.trusted_host_interfaces",
	mtu: "com.docker.network.driver.mtu",
	enableIpv6: "com.docker.network.enable_ipv6",
	enableIpv4: "com.docker.network.enable_ipv4",
	internal: "com.docker.network.internal",
	interfacePrefix: "com.docker.network.container_iface_prefix",
	sourceAddress: "com.docker.network.host_ipv4",
	sourceAddress6: "com.docker.network.host_ipv6",
	defaultBridge: "com.docker.network.bridge.default_bridge",
} as const;

export interface BridgeOptions {
	/** Empty: derived from the network's ID. */
	readonly name: string;
	readonly interContainer: boolean;
	readonly masquerade: boolean;
	/** Where ports go that name no host address; empty: the daemon's default. */
	readonly hostBinding: string;
	readonly inhibitAddress: boolean;
	readonly gatewayMode: GatewayMode;
	readonly gatewayMode6: GatewayMode;
	readonly trustedInterfaces: readonly string[];
	/** 0: the daemon's default. */
	readonly mtu: number;
	readonly enableIpv4: boolean | undefined;
	readonly enableIpv6: boolean | undefined;
	readonly internal: boolean;
	/** `eth` unless told otherwise. */
	readonly interfacePrefix: string;
	readonly sourceAddress: string;
	readonly sourceAddress6: string;
}

const GATEWAY_MODES: readonly string[] = ["nat", "nat-unprotected", "routed", "isolated"];
const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE: ReadonlySet<string> = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** @throws InvalidParameterError */
export function parseBridgeOptions(options: Readonly<Record<string, string>>): BridgeOptions {
	const text = (name: string) => options[name] ?? "";
	const flag = (name: string, fallback: boolean) => parseFlag(name, text(name)) ?? fallback;
	const address = (name: string, family: 4 | 6) => parseAddress(name, text(name), family);
	return {
		name: checkBridgeName(text(BRIDGE_OPTION.name)),
		interContainer: flag(BRIDGE_OPTION.interContainer, true),
		masquerade: flag(BRIDGE_OPTION.masquerade, true),
		hostBinding: address(BRIDGE_OPTION.hostBinding, 4),
		inhibitAddress: flag(BRIDGE_OPTION.inhibitAddress, false),
		gatewayMode: parseGatewayMode(BRIDGE_OPTION.gatewayMode, text(BRIDGE_OPTION.gatewayMode)),
		gatewayMode6: parseGatewayMode(BRIDGE_OPTION.gatewayMode6, text(BRIDGE_OPTION.gatewayMode6)),
		trustedInterfaces: parseInterfaces(text(BRIDGE_OPTION.trustedInterfaces)),
		mtu: parseMtu(text(BRIDGE_OPTION.mtu)),
		enableIpv4: parseFlag(BRIDGE_OPTION.enableIpv4, text(BRIDGE_OPTION.enableIpv4)),
		enableIpv6: parseFlag(BRIDGE_OPTION.enableIpv6, text(BRIDGE_OPTION.enableIpv6)),
		internal: BRIDGE_OPTION.internal in options && flag(BRIDGE_OPTION.internal, true),
		interfacePrefix: checkPrefix(text(BRIDGE_OPTION.interfacePrefix) || "eth"),
		sourceAddress: address(BRIDGE_OPTION.sourceAddress, 4),
		sourceAddress6: address(BRIDGE_OPTION.sourceAddress6, 6),
	};
}

function unparsable(name: string, value: string, why: string): InvalidParameterError {
	return new InvalidParameterError(`failed to parse ${name} value: ${value} (${why})`);
}

function parseFlag(name: string, value: string): boolean | undefined {
	if (value === "") return undefined;
	if (TRUE.has(value)) return true;
	if (FALSE.has(value)) return false;
	throw unparsable(name, value, `strconv.ParseBool: parsing "${value}": invalid syntax`);
}

function parseMtu(value: string): number {
	if (value === "") return 0;
	if (!/^[+-]?\d+$/.test(value))
		throw unparsable(BRIDGE_OPTION.mtu, value, `strconv.Atoi: parsing "${value}": invalid syntax`);
	const mtu = Number(value);
	if (mtu < 0 || mtu > 65535) throw new InvalidParameterError(`invalid MTU number: ${mtu}`);
	return mtu;
}

function parseGatewayMode(name: string, value: string): GatewayMode {
	if (value === "") return "nat";
	if (!GATEWAY_MODES.includes(value)) throw unparsable(name, value, `unknown gateway mode ${value}`);
	return value as GatewayMode;
}

function parseAddress(name: string, value: string, family: 4 | 6): string {
	if (value === "") return "";
	if (tryParseIp(value)?.family !== family) throw unparsable(name, value, "nil ip");
	return value;
}

/** Names with colons between them, as no interface has one in its name. */
function parseInterfaces(text: string): readonly string[] {
	const names = text.split(":").filter((name) => name !== "");
	for (const name of names)
		if (!/^[\x21-\x7e]{1,15}$/.test(name) || /[/"]/.test(name))
			throw unparsable(BRIDGE_OPTION.trustedInterfaces, text, `invalid interface name "${name}"`);
	return names;
}

/** As the kernel has it (`dev_valid_name`). */
function checkBridgeName(name: string): string {
	if (name === "") return name;
	if (
		Buffer.byteLength(name) > 15 ||
		name === "." ||
		name === ".." ||
		/[\s/:"]/.test(name) ||
		/[^\x21-\x7e]/.test(name)
	)
		throw new InvalidParameterError(`invalid bridge name "${name}": an interface name has 1 to 15 characters`);
	return name;
}

function checkPrefix(prefix: string): string {
	if (!/^[A-Za-z0-9_.-]{1,12}$/.test(prefix) || prefix === "lo")
		throw new InvalidParameterError(`invalid interface prefix "${prefix}"`);
	return prefix;
}
