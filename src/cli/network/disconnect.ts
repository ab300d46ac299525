import { disconnectNetwork } from "../../client/networks.ts";
import type { Command } from "../command.ts";

export const command: Command = {
	usage: "[OPTIONS] NETWORK CONTAINER",
	examples: ["gantry network disconnect backend web"],
	options: [{ name: "force", short: "f", kind: "bool", help: "Although the container can't be reached" }],
	minArguments: 2,
	maxArguments: 2,
	async run(context, options, [network = "", container = ""]) {
		await disconnectNetwork(await context.client(), network, { Container: container, Force: options.bool("force") });
		return 0;
	},
};
