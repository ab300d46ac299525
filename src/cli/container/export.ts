import { exportContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { writeArchive } from "../write-archive.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER",
	examples: ["gantry export -o web.tar web", "gantry export web | tar -t"],
	options: [{ name: "output", short: "o", kind: "string", help: "Write to this file instead of standard output" }],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [container = ""]) {
		const client = await context.client();
		await writeArchive(context, options.text("output"), () => exportContainer(client, container));
		return 0;
	},
};
