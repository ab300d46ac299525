import { renameContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { describeError } from "../describe-error.ts";

export const command: Command = {
	usage: "CONTAINER NEW_NAME",
	examples: ["gantry rename old new"],
	options: [],
	minArguments: 2,
	maxArguments: 2,
	async run(context, _options, [container = "", name = ""]) {
		if (container.trim() === "" || name.trim() === "") throw new Error("Error: Neither old nor new names may be empty");
		try {
			await renameContainer(await context.client(), container, name);
		} catch (error) {
			throw new Error(`${describeError(error)}\nError: failed to rename container named ${container}`, {
				cause: error,
			});
		}
		return 0;
	},
};
