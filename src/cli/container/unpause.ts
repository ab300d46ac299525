import { unpauseContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "CONTAINER [CONTAINER...]",
	examples: ["gantry unpause web"],
	options: [],
	minArguments: 1,
	async run(context, _options, args) {
		const client = await context.client();
		return await forEachTarget(context, args, (name) => unpauseContainer(client, name));
	},
};
