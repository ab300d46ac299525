import { inspectText } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { INSPECT_FORMAT_OPTION, inspectObjects } from "../inspect-objects.ts";
import { platformJson } from "./platform-json.ts";

export const command: Command = {
	usage: "[OPTIONS] IMAGE [IMAGE...]",
	examples: ["gantry image inspect -f '{{json .}}' web:1"],
	options: [
		INSPECT_FORMAT_OPTION,
		{ name: "platform", kind: "string", help: "Platform of the image (os/architecture)" },
	],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		return await inspectObjects(context, args, options.text("format"), (name) =>
			inspectText(client, "image", name, { platform: platformJson(options.text("platform")) }),
		);
	},
};
