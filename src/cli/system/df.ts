import type { DiskUsageResponse, LegacyDiskUsageResponse, ObjectDiskUsage } from "../../api/engine/system.ts";
import { diskUsage } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { preciseSize } from "../formatter/human.ts";
import { type Fields, writeRows } from "../formatter/rows.ts";
import { FORMAT_OPTION } from "../list-options.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry system df", "gantry system df -v", "gantry system df --format json"],
	options: [
		FORMAT_OPTION,
		{ name: "verbose", short: "v", kind: "bool", help: "Show each image, container, volume and cached build step" },
	],
	maxArguments: 0,
	async run(context, options) {
		const isVerbose = options.bool("verbose");
		const answer = await diskUsage(await context.client(), { verbose: isVerbose });
		const usage = answer.ImageUsage === undefined ? await fromLegacy(answer) : answer;
		const format = options.text("format");
		if (isVerbose) {
			const { writeUsageDetails } = await import("./df-details.ts");
			await writeUsageDetails(context.stdout, usage, format);
			return 0;
		}
		const columns = ["Type", "TotalCount", "Active", "Size", "Reclaimable"];
		await writeRows(context.stdout, rowsOf(usage), { fields: FIELDS, columns, format });
		return 0;
	},
};

interface UsageRow {
	type: string;
	usage: ObjectDiskUsage<unknown>;
	hasPercentage: boolean;
}

const FIELDS: Fields<UsageRow> = {
	Type: { header: "TYPE", value: ({ type }) => type },
	TotalCount: { header: "TOTAL", value: ({ usage }) => String(usage.TotalCount) },
	Active: { header: "ACTIVE", value: ({ usage }) => String(usage.ActiveCount) },
	Size: { header: "SIZE", value: ({ usage }) => preciseSize(usage.TotalSize) },
	Reclaimable: {
		header: "RECLAIMABLE",
		value: ({ usage: { TotalSize, Reclaimable }, hasPercentage }) => {
			const percentage = hasPercentage && TotalSize > 0 ? ` (${Math.trunc((Reclaimable * 100) / TotalSize)}%)` : "";
			return preciseSize(Reclaimable) + percentage;
		},
	},
};

const NOTHING: ObjectDiskUsage<never> = { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 };

function rowsOf(usage: DiskUsageResponse): UsageRow[] {
	const { ImageUsage, ContainerUsage, VolumeUsage, BuildCacheUsage } = usage;
	return [
		{ type: "Images", usage: ImageUsage ?? NOTHING, hasPercentage: true },
		{ type: "Containers", usage: ContainerUsage ?? NOTHING, hasPercentage: true },
		{ type: "Local Volumes", usage: VolumeUsage ?? NOTHING, hasPercentage: true },
		{ type: "Build Cache", usage: BuildCacheUsage ?? NOTHING, hasPercentage: false },
	];
}

/** What an older daemon lists, counted here. It does not say which layers images share: those count as reclaimable. */
async function fromLegacy(usage: LegacyDiskUsageResponse): Promise<DiskUsageResponse> {
	const counting = await import("../../core/system/disk-usage.ts");
	const images = usage.Images ?? [];
	const used = images
		.filter(({ Containers, SharedSize }) => Containers > 0 && SharedSize >= 0)
		.reduce((sum, { Size, SharedSize }) => sum + Size - SharedSize, 0);
	const totalBytes = usage.LayersSize ?? 0;
	return {
		ImageUsage: counting.imageUsage(images, { totalBytes, reclaimableBytes: totalBytes - used }),
		ContainerUsage: counting.containerUsage(usage.Containers ?? []),
		VolumeUsage: counting.volumeUsage(usage.Volumes ?? []),
		BuildCacheUsage: counting.buildCacheUsage(usage.BuildCache ?? []),
	};
}
