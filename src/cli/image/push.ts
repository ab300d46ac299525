import { pushImage } from "../../client/images.ts";
import { formatReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";
import type { Command } from "../command.ts";
import { refuseContentTrust } from "./content-trust.ts";
import { platformJson } from "./platform-json.ts";
import { onlyErrors, showProgress } from "./progress.ts";
import { splitImageName } from "./reference.ts";
import { registryAuth } from "./registry-auth.ts";

export const command: Command = {
	usage: "[OPTIONS] NAME[:TAG]",
	examples: ["gantry push localhost:5000/web:1", "gantry push -a localhost:5000/web"],
	options: [
		{ name: "all-tags", short: "a", kind: "bool", help: "Upload all tags of the repository" },
		{ name: "disable-content-trust", kind: "bool", help: "Skip signing", default: "true", hidden: true },
		{ name: "platform", kind: "string", help: "Platform to upload (os/architecture)" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show the image's name only" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [image = ""]) {
		refuseContentTrust(context.environment, options);
		const isQuiet = options.bool("quiet");
		const hasAllTags = options.bool("all-tags");
		const written = parseReference(image);
		if (written.digest !== undefined) throw new Error("cannot push a digest reference");
		if (hasAllTags && written.tag !== undefined) throw new Error("tag can't be used with --all-tags/-a");
		const reference = hasAllTags ? written : withDefaultTag(written);
		if (written.tag === undefined && !hasAllTags && !isQuiet)
			context.stdout.line(`Using default tag: ${reference.tag}`);
		const { repository } = splitImageName(image);
		const messages = pushImage(await context.client(), repository, {
			tag: reference.tag ?? "",
			registryAuth: (await registryAuth(context, repository)) ?? "e30=",
			platform: platformJson(options.text("platform")),
		});
		await showProgress(isQuiet ? onlyErrors(messages) : messages, context.stdout);
		if (isQuiet) context.stdout.line(formatReference(reference));
		return 0;
	},
};
