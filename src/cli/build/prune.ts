import { parseBytes } from "../../base/units.ts";
import { pruneBuilds } from "../../client/builds.ts";
import { Filters } from "../../client/filters.ts";
import type { Command, OptionSpec, ParsedOptions } from "../command.ts";
import { confirmPrune } from "../confirm.ts";
import { FORCE_OPTION, PRUNE_FILTER_OPTION } from "../list-options.ts";
import { parseValues } from "../option-parser.ts";
import { reportDeleted, reportReclaimed } from "../prune-report.ts";

const SIZES: readonly OptionSpec[] = [
	{ name: "keep-storage", kind: "string", value: "bytes", help: "The same as --reserved-space", hidden: true },
	{ name: "max-used-space", kind: "string", value: "bytes", help: "The most the cache may have afterwards" },
	{ name: "min-free-space", kind: "string", value: "bytes", help: "How much of the disk ought to be free afterwards" },
	{ name: "reserved-space", kind: "string", value: "bytes", help: "How much is kept in any case" },
];

export const command: Command = {
	usage: "[OPTIONS]",
	examples: [
		"gantry builder prune",
		"gantry builder prune -a --filter until=24h",
		"gantry builder prune -f --max-used-space 10gb",
		"gantry builder prune --filter type=exec.cachemount",
	],
	options: [
		{ name: "all", short: "a", kind: "bool", help: "Remove internal records and those of images as well" },
		PRUNE_FILTER_OPTION,
		FORCE_OPTION,
		...SIZES,
		{ name: "verbose", kind: "bool", help: "Accepted for docker's sake: records are always listed", hidden: true },
	],
	maxArguments: 0,
	async run(context, options) {
		const isAll = options.bool("all");
		const sizes = {
			reservedBytes: size(options, "reserved-space") ?? size(options, "keep-storage"),
			maxUsedBytes: size(options, "max-used-space"),
			minFreeBytes: size(options, "min-free-space"),
		};
		const warning = isAll ? "This will remove all build cache." : "This will remove all dangling build cache.";
		await confirmPrune(context, options.bool("force"), warning);
		const filters = Filters.parse(options.list("filter"));
		const report = await pruneBuilds(await context.client(), { all: isAll, filters, ...sizes });
		reportDeleted(context, "Deleted build cache objects", report.CachesDeleted);
		reportReclaimed(context, report.SpaceReclaimed);
		return 0;
	},
};

function size(options: ParsedOptions, name: string): number | undefined {
	return parseValues(options, name, parseBytes)[0];
}
