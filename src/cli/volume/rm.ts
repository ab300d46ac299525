import { removeVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "[OPTIONS] VOLUME [VOLUME...]",
	examples: ["gantry volume rm data"],
	options: [{ name: "force", short: "f", kind: "bool", help: "What is not there is no error" }],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const force = options.bool("force");
		return await forEachTarget(context, args, (name) => removeVolume(client, name, { force }), { isSequential: true });
	},
};
