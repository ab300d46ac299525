import type { EndpointSettings } from "../../api/engine/container.ts";
import { connectNetwork } from "../../client/networks.ts";
import type { Command, ParsedOptions } from "../command.ts";
import { checkInteger, checkLink } from "../container/option-checks.ts";
import { toMap } from "../container/process-options.ts";

export const command: Command = {
	usage: "[OPTIONS] NETWORK CONTAINER",
	examples: ["gantry network connect --alias db backend postgres"],
	options: [
		{ name: "alias", kind: "list", help: "Further name of the container in this network" },
		{ name: "driver-opt", kind: "list", help: "Option of the network driver (name=value)" },
		{
			name: "gw-priority",
			kind: "string",
			value: "int",
			help: "The network with the highest one is the way out",
			check: checkInteger,
		},
		{ name: "ip", kind: "string", help: "IPv4 address" },
		{ name: "ip6", kind: "string", help: "IPv6 address" },
		{ name: "link", kind: "list", help: "Make another container known by name (name[:alias])", check: checkLink },
		{ name: "link-local-ip", kind: "list", help: "Add a link-local address" },
	],
	minArguments: 2,
	maxArguments: 2,
	async run(context, options, [network = "", container = ""]) {
		await connectNetwork(await context.client(), network, {
			Container: container,
			EndpointConfig: endpointSettings(options),
		});
		return 0;
	},
};

function endpointSettings(options: ParsedOptions): EndpointSettings {
	const hasAddress = options.has("ip") || options.has("ip6") || options.has("link-local-ip");
	return {
		...(options.has("alias") ? { Aliases: options.list("alias") } : {}),
		...(options.has("driver-opt") ? { DriverOpts: toMap(options.list("driver-opt")) } : {}),
		...(options.has("gw-priority") ? { GwPriority: Number(options.text("gw-priority")) } : {}),
		...(options.has("link") ? { Links: options.list("link") } : {}),
		...(hasAddress
			? {
					IPAMConfig: {
						...(options.has("ip") ? { IPv4Address: options.text("ip") } : {}),
						...(options.has("ip6") ? { IPv6Address: options.text("ip6") } : {}),
						...(options.has("link-local-ip") ? { LinkLocalIPs: options.list("link-local-ip") } : {}),
					},
				}
			: {}),
	};
}
