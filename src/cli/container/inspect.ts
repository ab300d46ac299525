import { inspectText } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { INSPECT_FORMAT_OPTION, inspectObjects } from "../inspect-objects.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [CONTAINER...]",
	examples: ["gantry container inspect -f '{{json .}}' web"],
	options: [INSPECT_FORMAT_OPTION, { name: "size", short: "s", kind: "bool", help: "Show sizes" }],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		return await inspectObjects(context, args, options.text("format"), (name) =>
			inspectText(client, "container", name, { size: options.bool("size") }),
		);
	},
};
