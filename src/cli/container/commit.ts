import { commitContainer } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { splitImageName } from "../image/reference.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	examples: ["gantry commit -m 'with curl' -c 'CMD [\"sh\"]' web web:curl"],
	options: [
		{ name: "author", short: "a", kind: "string", help: "Author (Jane Doe <jane@example.com>)" },
		{ name: "change", short: "c", kind: "list", help: "Apply a Dockerfile instruction (CMD, ENV, …)" },
		{ name: "message", short: "m", kind: "string", help: "Comment kept with the image" },
		{ name: "no-pause", kind: "bool", help: "Let the container run on meanwhile" },
		{ name: "pause", short: "p", kind: "bool", help: "Freeze the container meanwhile", default: "true" },
	],
	minArguments: 1,
	maxArguments: 2,
	async run(context, options, [container = "", name = ""]) {
		const { Id } = await commitContainer(await context.client(), {
			container,
			...(name === "" ? { repository: "", tag: "" } : splitImageName(name)),
			author: options.text("author"),
			comment: options.text("message"),
			changes: options.list("change"),
			isPaused: options.bool("pause") && !options.bool("no-pause"),
		});
		context.stdout.line(Id);
		return 0;
	},
};
