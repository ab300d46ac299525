import { Filters } from "../../client/filters.ts";
import { pruneVolumes } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { confirmPrune } from "../confirm.ts";
import { FORCE_OPTION, PRUNE_FILTER_OPTION } from "../list-options.ts";
import { reportDeleted, reportReclaimed } from "../prune-report.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry volume prune", "gantry volume prune -a"],
	options: [
		{ name: "all", short: "a", kind: "bool", help: "Remove named volumes too" },
		PRUNE_FILTER_OPTION,
		FORCE_OPTION,
	],
	maxArguments: 0,
	async run(context, options) {
		const isAll = options.bool("all");
		const filters = Filters.parse(options.list("filter"));
		if (isAll && filters.has("all"))
			throw new Error("conflicting options: cannot specify both --all and --filter all=1");
		if (isAll) filters.add("all", "true");
		const kind = isAll ? "all" : "anonymous";
		const warning = `This will remove ${kind} local volumes not used by at least one container.`;
		await confirmPrune(context, options.bool("force"), warning);
		const report = await pruneVolumes(await context.client(), filters);
		reportDeleted(context, "Deleted Volumes", report.VolumesDeleted);
		reportReclaimed(context, report.SpaceReclaimed);
		return 0;
	},
};
