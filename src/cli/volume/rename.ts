import { renameVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";

export const command: Command = {
	usage: "VOLUME NEW_NAME",
	description: "The volume keeps its files and labels. No container may use it.",
	examples: ["gantry volume rename data data-2024"],
	options: [],
	minArguments: 2,
	maxArguments: 2,
	async run(context, _options, [name = "", newName = ""]) {
		await renameVolume(await context.client(), name, newName);
		return 0;
	},
};
