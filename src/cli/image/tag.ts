import { tagImage } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { splitImageName } from "./reference.ts";

export const command: Command = {
	usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	examples: ["gantry tag web:latest localhost:5000/web:1"],
	options: [],
	minArguments: 2,
	maxArguments: 2,
	async run(context, _options, [source = "", target = ""]) {
		if (target.includes("@")) throw new Error("refusing to create a tag with a digest reference");
		const { repository, tag } = splitImageName(target);
		await tagImage(await context.client(), source, repository, tag);
		return 0;
	},
};
