import { stat } from "node:fs/promises";
import { importVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { openArchive } from "../image/open-archive.ts";
import { withByteProgress } from "./byte-progress.ts";

export const command: Command = {
	usage: "[OPTIONS] VOLUME [FILE|-]",
	description:
		"Unpacks a tar archive, plain or compressed with gzip or zstd, from a file or standard input. A volume that is not there\n" +
		"is made; one that has files is left alone without --merge.",
	examples: ["gantry volume import data data.tar", "ssh host gantry volume export data | gantry volume import data"],
	options: [{ name: "merge", kind: "bool", help: "Write over files that are there" }],
	minArguments: 1,
	maxArguments: 2,
	async run(context, options, [name = "", source = "-"]) {
		const { isTerminal } = await import("../terminal.ts");
		if (source === "-" && isTerminal(0)) throw new Error("there is no archive on standard input");
		const archive = source === "-" ? Bun.stdin.stream() : await openArchive(source);
		const size = source === "-" ? undefined : (await stat(source)).size;
		const stream = withByteProgress(context, archive, size);
		const volume = await importVolume(await context.client(), name, { stream, merge: options.bool("merge") });
		context.stdout.line(volume.Name);
		return 0;
	},
};
