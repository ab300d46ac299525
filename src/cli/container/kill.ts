import { killContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [CONTAINER...]",
	examples: ["gantry kill web", "gantry kill -s HUP web"],
	options: [{ name: "signal", short: "s", kind: "string", help: "Signal to send (KILL by default)" }],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const signal = options.text("signal") || undefined;
		return await forEachTarget(context, args, (name) => killContainer(client, name, signal));
	},
};
