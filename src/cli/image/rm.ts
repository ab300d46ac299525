import { removeImage } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";
import { platformJson } from "./platform-json.ts";

export const command: Command = {
	usage: "[OPTIONS] IMAGE [IMAGE...]",
	examples: ["gantry rmi web:1", "gantry rmi -f $(gantry images -q)"],
	options: [
		{ name: "force", short: "f", kind: "bool", help: "Remove it although containers or other names use it" },
		{ name: "no-prune", kind: "bool", help: "Keep parents that have no name" },
		{ name: "platform", kind: "list", help: "Remove the content of this platform only" },
	],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const request = {
			force: options.bool("force"),
			isParentKept: options.bool("no-prune"),
			platforms: options.list("platform").flatMap((text) => platformJson(text) ?? []),
		};
		// One after the other: names of the same image depend on each other.
		return await forEachTarget(
			context,
			args,
			async (name) => {
				for (const item of await removeImage(client, name, request))
					context.stdout.line(
						"Untagged" in item && item.Untagged
							? `Untagged: ${item.Untagged}`
							: `Deleted: ${"Deleted" in item ? item.Deleted : ""}`,
					);
			},
			{ isSequential: true, isQuiet: true, isMissingIgnored: request.force },
		);
	},
};
