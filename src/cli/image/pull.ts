import type { Command } from "../command.ts";
import { pullImage } from "./pull-image.ts";

export const command: Command = {
	usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
	examples: ["gantry pull debian:12"],
	options: [
		{ name: "all-tags", short: "a", kind: "bool", help: "Download all tags of the repository" },
		{
			name: "disable-content-trust",
			kind: "bool",
			help: "Skip the check of signatures",
			default: "true",
			hidden: true,
		},
		{ name: "platform", kind: "string", help: "Platform to download (os/architecture)" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show the image's name only" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [image = ""]) {
		const isQuiet = options.bool("quiet");
		const platform = options.text("platform") || context.environment["DOCKER_DEFAULT_PLATFORM"] || "";
		await pullImage(context, image, {
			platform,
			isQuiet,
			hasAllTags: options.bool("all-tags"),
			output: context.stdout,
		});
		if (isQuiet) context.stdout.line(image);
		return 0;
	},
};
