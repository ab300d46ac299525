import { inspectText } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { INSPECT_FORMAT_OPTION, inspectObjects } from "../inspect-objects.ts";

export const command: Command = {
	usage: "[OPTIONS] VOLUME [VOLUME...]",
	examples: ["gantry volume inspect -f '{{json .}}' data"],
	options: [INSPECT_FORMAT_OPTION],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		return await inspectObjects(context, args, options.text("format"), (name) => inspectText(client, "volume", name));
	},
};
