import type { ProgressMessage } from "../../api/engine/image.ts";
import { cloneVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { ExitError } from "../usage-error.ts";
import { PAUSE_OPTION } from "./pause-option.ts";

export const command: Command = {
	usage: "[OPTIONS] VOLUME NEW_NAME",
	description:
		"Makes a volume with the same files and labels. On a file system that can share blocks (btrfs, xfs) that takes no space\n" +
		"and hardly any time. A copy of a plugin's volume, or of one that mounts something, is a plain local volume.",
	examples: ["gantry volume clone data data-before-upgrade", "gantry volume clone --pause data snapshot"],
	options: [PAUSE_OPTION, { name: "quiet", short: "q", kind: "bool", help: "Show no progress" }],
	minArguments: 2,
	maxArguments: 2,
	async run(context, options, [name = "", newName = ""]) {
		const { isTerminal } = await import("../terminal.ts");
		const messages = cloneVolume(await context.client(), name, { newName, pause: options.bool("pause") });
		if (options.bool("quiet") || !isTerminal(2)) await readToEnd(messages);
		else await (await import("../image/progress.ts")).showProgress(messages, context.stderr);
		context.stdout.line(newName);
		return 0;
	},
};

async function readToEnd(messages: AsyncIterable<ProgressMessage>): Promise<void> {
	for await (const { errorDetail, error } of messages) {
		const failure = errorDetail?.message ?? error;
		if (failure !== undefined) throw new ExitError(1, failure);
	}
}
