import { saveImages } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { writeArchive } from "../write-archive.ts";

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
		const platform = options.text("platform");
		const request = platform === "" ? {} : { platforms: [platformJson(platform)] };
		await writeArchive(context, options.text("output"), () => saveImages(client, args, request));
		return 0;
	},
};

function platformJson(text: string): string {
	const [os, architecture, variant] = text.split("/");
	return JSON.stringify({ os, architecture, variant });
}
