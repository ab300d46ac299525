import { formatReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";
import type { Command } from "../command.ts";
import { refuseContentTrust } from "./content-trust.ts";
import { pullImage } from "./pull-image.ts";

export const command: Command = {
	usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
	examples: [
		"gantry pull debian:12",
		"gantry pull --platform linux/arm64 debian:12",
		"gantry pull -a localhost:5000/web",
	],
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
		refuseContentTrust(context.environment, options);
		const isQuiet = options.bool("quiet");
		const hasAllTags = options.bool("all-tags");
		const written = parseReference(image);
		const isBare = written.tag === undefined && written.digest === undefined;
		if (hasAllTags && !isBare) throw new Error("tag can't be used with --all-tags/-a");
		const reference = hasAllTags ? written : withDefaultTag(written);
		if (isBare && !hasAllTags && !isQuiet) context.stdout.line(`Using default tag: ${reference.tag}`);
		const platform = options.text("platform") || context.environment["DOCKER_DEFAULT_PLATFORM"] || "";
		await pullImage(context, image, { platform, isQuiet, hasAllTags, output: context.stdout });
		context.stdout.line(formatReference(reference));
		return 0;
	},
};
