import { inspectText } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { INSPECT_FORMAT_OPTION, inspectObjects } from "../inspect-objects.ts";

export const command: Command = {
	usage: "[OPTIONS] NETWORK [NETWORK...]",
	examples: ["gantry network inspect -f '{{json .}}' bridge"],
	options: [INSPECT_FORMAT_OPTION, { name: "verbose", short: "v", kind: "bool", help: "Show more, for diagnosis" }],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		return await inspectObjects(context, args, options.text("format"), (name) =>
			inspectText(client, "network", name, { verbose: options.bool("verbose") }),
		);
	},
};
