import { importImage } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { openArchive } from "./open-archive.ts";
import { showProgress } from "./progress.ts";
import { splitImageName } from "./reference.ts";

export const command: Command = {
	usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
	examples: [
		"tar -C rootfs -c . | gantry import -c 'CMD [\"sh\"]' - base:1",
		"gantry import https://host/rootfs.tar.gz base:1",
	],
	options: [
		{ name: "change", short: "c", kind: "list", help: "Apply a Dockerfile instruction (CMD, ENV, …)" },
		{ name: "message", short: "m", kind: "string", help: "Comment kept with the image" },
		{ name: "platform", kind: "string", help: "Platform of the file system (os/architecture)" },
	],
	minArguments: 1,
	maxArguments: 2,
	async run(context, options, [source = "", name = ""]) {
		const { repository, tag } = name === "" ? { repository: "", tag: "" } : splitImageName(name);
		const isUrl = /^https?:\/\//.test(source);
		const stream = isUrl ? undefined : source === "-" ? Bun.stdin.stream() : await openArchive(source);
		const messages = importImage(
			await context.client(),
			{
				source: isUrl ? source : "-",
				repository,
				tag,
				message: options.text("message"),
				changes: options.list("change"),
				platform: options.text("platform"),
			},
			stream,
		);
		await showProgress(messages, context.stdout);
		return 0;
	},
};
