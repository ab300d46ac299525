import { pruneContainers } from "../../client/containers.ts";
import { Filters } from "../../client/filters.ts";
import type { Command } from "../command.ts";
import { confirmPrune } from "../confirm.ts";
import { FORCE_OPTION, PRUNE_FILTER_OPTION } from "../list-options.ts";
import { reportDeleted, reportReclaimed } from "../prune-report.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry container prune -f --filter until=24h"],
	options: [PRUNE_FILTER_OPTION, FORCE_OPTION],
	maxArguments: 0,
	async run(context, options) {
		const warning = "This will remove all stopped containers.";
		await confirmPrune(context, options.bool("force"), warning);
		const report = await pruneContainers(await context.client(), Filters.parse(options.list("filter")));
		reportDeleted(context, "Deleted Containers", report.ContainersDeleted);
		reportReclaimed(context, report.SpaceReclaimed);
		return 0;
	},
};
