import type { IpamConfig, NetworkCreateRequest } from "../../api/engine/network.ts";
import { createNetwork } from "../../client/networks.ts";
import type { Command, ParsedOptions } from "../command.ts";
import { toMap } from "../container/process-options.ts";

export const command: Command = {
	usage: "[OPTIONS] NETWORK",
	examples: ["gantry network create backend", "gantry network create --subnet 10.9.0.0/24 --gateway 10.9.0.1 lab"],
	options: [
		{ name: "attachable", kind: "bool", help: "Let containers attach by hand" },
		{ name: "aux-address", kind: "list", value: "map", help: "Address the driver uses for itself (name=address)" },
		{ name: "config-from", kind: "string", help: "Network to take the configuration from" },
		{ name: "config-only", kind: "bool", help: "Create a configuration only" },
		{ name: "driver", short: "d", kind: "string", help: "Network driver", default: "bridge" },
		{ name: "gateway", kind: "list", help: "Gateway of a subnet" },
		{ name: "ingress", kind: "bool", help: "Create the routing mesh of a swarm" },
		{ name: "internal", kind: "bool", help: "No way to the outside" },
		{ name: "ip-range", kind: "list", help: "Part of a subnet that addresses are taken from" },
		{ name: "ipam-driver", kind: "string", help: "Driver of address management", default: "default" },
		{ name: "ipam-opt", kind: "list", value: "map", help: "Option of that driver (name=value)" },
		{ name: "ipv4", kind: "bool", help: "Give IPv4 addresses", default: "true" },
		{ name: "ipv6", kind: "bool", help: "Give IPv6 addresses" },
		{ name: "label", kind: "list", help: "Set a label (name=value)" },
		{ name: "opt", short: "o", kind: "list", value: "map", help: "Option of the driver (name=value)" },
		{ name: "scope", kind: "string", help: "Scope of the network (local, swarm)" },
		{ name: "subnet", kind: "list", help: "Subnet in CIDR form" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [name = ""]) {
		const { Id, Warning } = await createNetwork(await context.client(), createRequest(options, name));
		if (Warning) context.stderr.line(`WARNING: ${Warning}`);
		context.stdout.line(Id);
		return 0;
	},
};

function createRequest(options: ParsedOptions, name: string): NetworkCreateRequest {
	const configFrom = options.text("config-from");
	return {
		Name: name,
		Driver: options.text("driver"),
		Options: toMap(options.list("opt")),
		IPAM: {
			Driver: options.text("ipam-driver"),
			Options: toMap(options.list("ipam-opt")),
			Config: addressPools(options),
		},
		Internal: options.bool("internal"),
		Attachable: options.bool("attachable"),
		Ingress: options.bool("ingress"),
		ConfigOnly: options.bool("config-only"),
		Labels: toMap(options.list("label")),
		...(options.text("scope") === "" ? {} : { Scope: options.text("scope") }),
		...(options.has("ipv4") ? { EnableIPv4: options.bool("ipv4") } : {}),
		...(options.has("ipv6") ? { EnableIPv6: options.bool("ipv6") } : {}),
		...(configFrom === "" ? {} : { ConfigFrom: { Network: configFrom } }),
	};
}

/** Each gateway, range and auxiliary address goes with the subnet that contains it. @throws Error */
function addressPools(options: ParsedOptions): IpamConfig[] {
	const pools = options.list("subnet").map((subnet): IpamConfig => ({ Subnet: subnet }));
	const single = pools.length === 1 ? pools[0] : undefined;
	const poolOf = (address: string): IpamConfig => {
		const family = address.includes(":");
		const matching =
			single ?? pools.find(({ Subnet = "" }) => Subnet.includes(":") === family && containsAddress(Subnet, address));
		if (matching === undefined) throw new Error(`no matching subnet for gateway or range ${address}`);
		return matching;
	};
	for (const range of options.list("ip-range")) poolOf(range.split("/")[0] ?? "").IPRange = range;
	for (const gateway of options.list("gateway")) poolOf(gateway).Gateway = gateway;
	for (const [name, address] of Object.entries(toMap(options.list("aux-address")))) {
		const pool = poolOf(address);
		pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
	}
	return pools;
}

function containsAddress(subnet: string, address: string): boolean {
	const [base = "", length = "0"] = subnet.split("/");
	if (base.includes(":"))
		return (
			expandIpv6(base).slice(0, Math.trunc(Number(length) / 4)) ===
			expandIpv6(address).slice(0, Math.trunc(Number(length) / 4))
		);
	const toNumber = (text: string) => text.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
	const size = 2 ** (32 - Number(length));
	return Math.floor(toNumber(base) / size) === Math.floor(toNumber(address) / size);
}

/** All 32 hexadecimal digits. */
function expandIpv6(address: string): string {
	const [head = "", tail] = address.split("::");
	const words = (text: string | undefined) => (text ? text.split(":") : []);
	const left = words(head);
	const right = words(tail);
	const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
	return [...left, ...new Array<string>(zeros).fill("0"), ...right]
		.map((word) => word.padStart(4, "0"))
		.join("")
		.toLowerCase();
}
