import { unpinImage } from "../../client/gc.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "IMAGE [IMAGE...]",
	examples: ["gantry image unpin postgres:16"],
	options: [],
	minArguments: 1,
	async run(context, _options, args) {
		const client = await context.client();
		return await forEachTarget(context, args, (name) => unpinImage(client, name));
	},
};
