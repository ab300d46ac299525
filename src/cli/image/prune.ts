import { Filters } from "../../client/filters.ts";
import { pruneImages } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { confirmPrune } from "../confirm.ts";
import { FORCE_OPTION, PRUNE_FILTER_OPTION } from "../list-options.ts";
import { imageLines, reportDeleted, reportReclaimed } from "../prune-report.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry image prune", "gantry image prune -a --filter until=240h"],
	options: [
		{ name: "all", short: "a", kind: "bool", help: "Remove all that no container uses, not only those without a name" },
		PRUNE_FILTER_OPTION,
		FORCE_OPTION,
	],
	maxArguments: 0,
	async run(context, options) {
		const isAll = options.bool("all");
		const warning = isAll
			? "This will remove all images without at least one container associated to them."
			: "This will remove all dangling images.";
		await confirmPrune(context, options.bool("force"), warning);
		const filters = Filters.parse(options.list("filter")).add("dangling", String(!isAll));
		const report = await pruneImages(await context.client(), filters);
		reportDeleted(context, "Deleted Images", imageLines(report.ImagesDeleted));
		reportReclaimed(context, report.SpaceReclaimed);
		return 0;
	},
};
