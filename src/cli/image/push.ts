import { pushImage } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { showProgress } from "./progress.ts";
import { splitImageName } from "./reference.ts";
import { registryAuth } from "./registry-auth.ts";

export const command: Command = {
	usage: "[OPTIONS] NAME[:TAG]",
	examples: ["gantry push localhost:5000/web:1"],
	options: [
		{ name: "all-tags", short: "a", kind: "bool", help: "Upload all tags of the repository" },
		{ name: "disable-content-trust", kind: "bool", help: "Skip signing", default: "true", hidden: true },
		{ name: "platform", kind: "string", help: "Platform to upload (os/architecture)" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show the image's name only" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [image = ""]) {
		const { repository, tag } = splitImageName(image);
		const platform = options.text("platform");
		const messages = pushImage(await context.client(), repository, {
			tag: options.bool("all-tags") ? "" : tag || "latest",
			registryAuth: (await registryAuth(context, repository)) ?? "e30=",
			platform: platform === "" ? undefined : JSON.stringify(platformObject(platform)),
		});
		await showProgress(messages, context.stdout);
		return 0;
	},
};

function platformObject(text: string): Record<string, string> {
	const [os = "", architecture, variant] = text.split("/");
	return { os, ...(architecture === undefined ? {} : { architecture }), ...(variant === undefined ? {} : { variant }) };
}
