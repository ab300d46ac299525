import { removeNetwork } from "../../client/networks.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "NETWORK [NETWORK...]",
	examples: ["gantry network rm backend"],
	options: [{ name: "force", short: "f", kind: "bool", help: "What is not there is no error" }],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const isMissingIgnored = options.bool("force");
		return await forEachTarget(context, args, (name) => removeNetwork(client, name), {
			isSequential: true,
			isMissingIgnored,
		});
	},
};
