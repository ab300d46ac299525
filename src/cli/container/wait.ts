import { waitContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { describeError } from "../describe-error.ts";

export const command: Command = {
	usage: "CONTAINER [CONTAINER...]",
	examples: ["gantry wait job"],
	options: [],
	minArguments: 1,
	async run(context, _options, args) {
		const client = await context.client();
		let exitCode = 0;
		for (const name of args) {
			try {
				const { result } = await waitContainer(client, name);
				await context.stdout.writeThrough(`${(await result).StatusCode}\n`);
			} catch (error) {
				context.stderr.line(describeError(error));
				exitCode = 1;
			}
		}
		return exitCode;
	},
};
