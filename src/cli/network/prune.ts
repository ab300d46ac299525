import { Filters } from "../../client/filters.ts";
import { pruneNetworks } from "../../client/networks.ts";
import type { Command } from "../command.ts";
import { confirmPrune } from "../confirm.ts";
import { FORCE_OPTION, PRUNE_FILTER_OPTION } from "../list-options.ts";
import { reportDeleted } from "../prune-report.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry network prune -f"],
	options: [PRUNE_FILTER_OPTION, FORCE_OPTION],
	maxArguments: 0,
	async run(context, options) {
		const warning = "This will remove all custom networks not used by at least one container.";
		await confirmPrune(context, options.bool("force"), warning);
		const report = await pruneNetworks(await context.client(), Filters.parse(options.list("filter")));
		reportDeleted(context, "Deleted Networks", report.NetworksDeleted);
		return 0;
	},
};
