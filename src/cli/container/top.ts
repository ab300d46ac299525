import { containerTop } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { layOutWideTable } from "../formatter/table.ts";

export const command: Command = {
	usage: "CONTAINER [ps OPTIONS]",
	examples: ["gantry top web", "gantry top web -o pid,rss,args"],
	options: [],
	isInterspersed: false,
	minArguments: 1,
	async run(context, _options, [container = "", ...psArguments]) {
		const { Titles, Processes } = await containerTop(await context.client(), container, psArguments.join(" "));
		context.stdout.write(layOutWideTable([Titles, ...(Processes ?? [])]));
		return 0;
	},
};
