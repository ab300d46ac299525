import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { createNetwork } from "../../client/networks.ts";
import type { Command, ParsedOptions } from "../command.ts";
import { toMap } from "../container/process-options.ts";
import { addressPools } from "./address-pools.ts";

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
			Config: addressPools({
				subnets: options.list("subnet"),
				ranges: options.list("ip-range"),
				gateways: options.list("gateway"),
				auxiliary: toMap(options.list("aux-address")),
			}),
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
