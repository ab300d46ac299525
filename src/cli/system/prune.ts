import { pruneBuilds } from "../../client/builds.ts";
import { pruneContainers } from "../../client/containers.ts";
import { Filters } from "../../client/filters.ts";
import { pruneImages } from "../../client/images.ts";
import { pruneNetworks } from "../../client/networks.ts";
import { pruneVolumes } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { FORCE_OPTION, PRUNE_FILTER_OPTION } from "../list-options.ts";
import { imageLines, reportDeleted, reportReclaimed } from "../prune-report.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry system prune", "gantry system prune -a --volumes -f"],
	options: [
		{
			name: "all",
			short: "a",
			kind: "bool",
			help: "Remove all images that no container uses, not only those without a name",
		},
		PRUNE_FILTER_OPTION,
		FORCE_OPTION,
		{ name: "volumes", kind: "bool", help: "Remove anonymous volumes too" },
	],
	maxArguments: 0,
	async run(context, options) {
		const isAll = options.bool("all");
		const hasVolumes = options.bool("volumes");
		const texts = options.list("filter");
		if (hasVolumes && Filters.parse(texts).has("until"))
			throw new Error('The "until" filter is not supported with "--volumes"');
		// Steps have no labels: who asks for some by label means other things.
		const hasBuildCache = !/^label!?=/m.test(texts.join("\n"));
		const warnings = [
			"all stopped containers",
			"all networks not used by at least one container",
			...(hasVolumes ? ["all anonymous volumes not used by at least one container"] : []),
			isAll ? "all images without at least one container associated to them" : "all dangling images",
			...(hasBuildCache ? [isAll ? "all build cache" : "unused build cache"] : []),
		];
		const list = warnings.map((line) => `  - ${line}`).join("\n");
		const items =
			texts.length === 0
				? ""
				: `\n\n  Items to be pruned will be filtered with:\n${texts.map((text) => `  - ${text}`).join("\n")}`;
		const question = `WARNING! This will remove:\n${list}${items}\n\nAre you sure you want to continue?`;
		if (!options.bool("force") && !(await confirm(context, question))) return 0;
		const client = await context.client();
		const containers = await pruneContainers(client, Filters.parse(texts));
		reportDeleted(context, "Deleted Containers", containers.ContainersDeleted);
		const networks = await pruneNetworks(client, Filters.parse(texts));
		reportDeleted(context, "Deleted Networks", networks.NetworksDeleted);
		const volumes = hasVolumes ? await pruneVolumes(client, Filters.parse(texts)) : undefined;
		reportDeleted(context, "Deleted Volumes", volumes?.VolumesDeleted ?? null);
		const images = await pruneImages(client, Filters.parse(texts).add("dangling", String(!isAll)));
		reportDeleted(context, "Deleted Images", imageLines(images.ImagesDeleted));
		const builds = hasBuildCache ? await pruneBuilds(client, { all: isAll, filters: Filters.parse(texts) }) : undefined;
		reportDeleted(context, "Deleted build cache objects", builds?.CachesDeleted ?? null);
		const reports = [
			containers,
			images,
			...(volumes === undefined ? [] : [volumes]),
			...(builds === undefined ? [] : [builds]),
		];
		reportReclaimed(
			context,
			reports.reduce((sum, { SpaceReclaimed }) => sum + SpaceReclaimed, 0),
		);
		return 0;
	},
};
