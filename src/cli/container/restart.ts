import { restartContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";
import { readStopOptions, STOP_OPTIONS } from "./stop-options.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [CONTAINER...]",
	examples: ["gantry restart web"],
	options: STOP_OPTIONS,
	minArguments: 1,
	async run(context, options, args) {
		const request = readStopOptions(options);
		const client = await context.client();
		return await forEachTarget(context, args, (name) => restartContainer(client, name, request), {
			isSequential: true,
		});
	},
};
