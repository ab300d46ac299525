import type { Command } from "../command.ts";
import { copyFromContainer } from "./copy-from-container.ts";
import { splitCopyArgument } from "./copy-paths.ts";
import { copyToContainer } from "./copy-to-container.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH",
	description:
		"With - as the source a tar archive is read from standard input and unpacked into a directory of the container;\n" +
		"with - as the destination a tar archive is written to standard output. SRC_PATH/. stands for a directory's contents.",
	examples: ["gantry cp web:/etc/nginx ./conf", "gantry cp ./site/. web:/srv", "gantry cp web:/var/log - | tar -t"],
	options: [
		{ name: "archive", short: "a", kind: "bool", help: "Keep user and group IDs" },
		{ name: "follow-link", short: "L", kind: "bool", help: "Copy what a link SRC_PATH points to" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show no progress" },
	],
	minArguments: 2,
	maxArguments: 2,
	async run(context, options, [from = "", to = ""]) {
		if (from === "") throw new Error("source can not be empty");
		if (to === "") throw new Error("destination can not be empty");
		const source = splitCopyArgument(from);
		const destination = splitCopyArgument(to);
		if (source.container !== "" && destination.container !== "")
			throw new Error("copying between containers is not supported");
		if (source.container === "" && destination.container === "")
			throw new Error("must specify at least one container source");
		const { isTerminal } = await import("../terminal.ts");
		const copy = {
			context,
			client: await context.client(),
			isFollowingLinks: options.bool("follow-link"),
			hasOwners: options.bool("archive"),
			isQuiet: options.has("quiet") ? options.bool("quiet") : !isTerminal(1),
		};
		if (source.container !== "") await copyFromContainer(copy, source.container, source.path, destination.path);
		else await copyToContainer(copy, source.path, destination.container, destination.path);
		return 0;
	},
};
