import { removeContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [CONTAINER...]",
	examples: ["gantry rm -f web", "gantry rm $(gantry ps -aq)"],
	options: [
		{ name: "force", short: "f", kind: "bool", help: "Kill running containers first; what is not there is no error" },
		{ name: "link", short: "l", kind: "bool", help: "Remove the link, not the container" },
		{ name: "volumes", short: "v", kind: "bool", help: "Remove anonymous volumes too" },
	],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const request = { force: options.bool("force"), link: options.bool("link"), volumes: options.bool("volumes") };
		return await forEachTarget(
			context,
			args,
			async (name) => {
				const id = name.replace(/^\//, "");
				if (id === "") throw new Error("container name cannot be empty");
				await removeContainer(client, id, request);
			},
			{ isMissingIgnored: request.force },
		);
	},
};
