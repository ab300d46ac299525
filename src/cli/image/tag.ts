import { errorMessage } from "../../base/errors.ts";
import { tagImage } from "../../client/images.ts";
import { type NamedReference, parseReference } from "../../core/image/reference.ts";
import type { Command } from "../command.ts";

export const command: Command = {
	usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	examples: ["gantry tag web:latest localhost:5000/web:1"],
	options: [],
	minArguments: 2,
	maxArguments: 2,
	async run(context, _options, [source = "", target = ""]) {
		const { name, tag = "" } = targetName(target);
		await tagImage(await context.client(), source, name, tag);
		return 0;
	},
};

/** @throws Error in docker's words */
function targetName(target: string): NamedReference {
	let reference: NamedReference;
	try {
		reference = parseReference(target);
	} catch (error) {
		throw new Error(`Error parsing reference: "${target}" is not a valid repository/tag: ${errorMessage(error)}`);
	}
	if (reference.digest !== undefined) throw new Error("refusing to create a tag with a digest reference");
	return reference;
}
