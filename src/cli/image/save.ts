import { saveImages } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { writeArchive } from "../write-archive.ts";
import { platformJson } from "./platform-json.ts";

export const command: Command = {
	usage: "[OPTIONS] IMAGE [IMAGE...]",
	examples: ["gantry save -o web.tar web:1 db:2", "gantry save web:1 | zstd > web.tar.zst"],
	options: [
		{ name: "output", short: "o", kind: "string", help: "Write to this file instead of standard output" },
		{ name: "platform", kind: "string", help: "Platform of the images (os/architecture)" },
	],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const platform = platformJson(options.text("platform"));
		const request = platform === undefined ? {} : { platforms: [platform] };
		await writeArchive(context, options.text("output"), () => saveImages(client, args, request));
		return 0;
	},
};
