import type { ContainerSummary } from "../../api/engine/container.ts";
import type { DiskUsageResponse } from "../../api/engine/system.ts";
import { humanSize } from "../../base/units.ts";
import { diskUsage } from "../../client/system.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { humanAge, preciseSize, truncateId } from "../formatter/human.ts";
import { type Fields, writeRows } from "../formatter/rows.ts";
import { FORMAT_OPTION } from "../list-options.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry system df", "gantry system df -v"],
	options: [
		FORMAT_OPTION,
		{ name: "verbose", short: "v", kind: "bool", help: "Show each image, container and volume" },
	],
	maxArguments: 0,
	async run(context, options) {
		const usage = await diskUsage(await context.client());
		const format = options.text("format");
		if (options.bool("verbose")) {
			if (format === "json") context.stdout.line(JSON.stringify(usage));
			else await writeDetails(context, usage);
			return 0;
		}
		const columns = ["Type", "TotalCount", "Active", "Size", "Reclaimable"];
		await writeRows(context.stdout, summarize(usage), { fields: FIELDS, columns, format });
		return 0;
	},
};

interface UsageRow {
	type: string;
	total: number;
	active: number;
	sizeBytes: number;
	reclaimableBytes: number;
	hasPercentage: boolean;
}

const FIELDS: Fields<UsageRow> = {
	Type: { header: "TYPE", value: ({ type }) => type },
	TotalCount: { header: "TOTAL", value: ({ total }) => String(total) },
	Active: { header: "ACTIVE", value: ({ active }) => String(active) },
	Size: { header: "SIZE", value: ({ sizeBytes }) => preciseSize(sizeBytes) },
	Reclaimable: {
		header: "RECLAIMABLE",
		value: ({ sizeBytes, reclaimableBytes, hasPercentage }) => {
			const percentage =
				hasPercentage && sizeBytes > 0 ? ` (${Math.trunc((reclaimableBytes * 100) / sizeBytes)}%)` : "";
			return preciseSize(reclaimableBytes) + percentage;
		},
	},
};

interface CacheRecord {
	ID?: string;
	Type?: string;
	InUse?: boolean;
	Shared?: boolean;
	Size?: number;
}

function summarize(usage: DiskUsageResponse): UsageRow[] {
	const images = usage.Images ?? [];
	const containers = usage.Containers ?? [];
	const volumes = usage.Volumes ?? [];
	const cache = (usage.BuildCache ?? []) as CacheRecord[];
	const usedBytes = sum(
		images
			.filter(({ Containers }) => Containers > 0)
			.map(({ Size, SharedSize }) => (SharedSize < 0 ? 0 : Size - SharedSize)),
	);
	const volumeBytes = (isUsed: boolean) =>
		sum(
			volumes.map(({ UsageData }) =>
				UsageData && (isUsed || UsageData.RefCount === 0) ? Math.max(0, UsageData.Size) : 0,
			),
		);
	const own = cache.filter(({ Shared }) => Shared !== true);
	return [
		{
			type: "Images",
			total: images.length,
			active: images.filter(({ Containers }) => Containers > 0).length,
			sizeBytes: usage.LayersSize,
			reclaimableBytes: usage.LayersSize - usedBytes,
			hasPercentage: true,
		},
		{
			type: "Containers",
			total: containers.length,
			active: containers.filter(isActive).length,
			sizeBytes: sum(containers.map(({ SizeRw = 0 }) => SizeRw)),
			reclaimableBytes: sum(containers.filter((container) => !isActive(container)).map(({ SizeRw = 0 }) => SizeRw)),
			hasPercentage: true,
		},
		{
			type: "Local Volumes",
			total: volumes.length,
			active: volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0).length,
			sizeBytes: volumeBytes(true),
			reclaimableBytes: volumeBytes(false),
			hasPercentage: true,
		},
		{
			type: "Build Cache",
			total: cache.length,
			active: cache.filter(({ InUse }) => InUse).length,
			sizeBytes: sum(own.map(({ Size = 0 }) => Size)),
			reclaimableBytes: sum(own.filter(({ InUse }) => !InUse).map(({ Size = 0 }) => Size)),
			hasPercentage: false,
		},
	];
}

function isActive({ State }: ContainerSummary): boolean {
	return State === "running" || State === "paused" || State === "restarting";
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}

async function writeDetails(context: CliContext, usage: DiskUsageResponse): Promise<void> {
	const { containerFields } = await import("../container/container-fields.ts");
	const { imageRows } = await import("../image/image-fields.ts");
	const { VOLUME_FIELDS } = await import("../volume/volume-fields.ts");
	const { stdout } = context;
	stdout.write("Images space usage:\n\n");
	const images = (usage.Images ?? []).map((image) => imageRows(image, false)[0]).filter((row) => row !== undefined);
	const shared = (bytes: number) => preciseSize(Math.max(0, bytes));
	const imageFields: Fields<(typeof images)[number]> = {
		Repository: { header: "REPOSITORY", value: ({ repository }) => repository },
		Tag: { header: "TAG", value: ({ tag }) => tag },
		ID: { header: "IMAGE ID", value: ({ image }) => truncateId(image.Id) },
		Created: { header: "CREATED", value: ({ image }) => humanAge(image.Created) },
		Size: { header: "SIZE", value: ({ image }) => humanSize(image.Size) },
		Shared: { header: "SHARED SIZE", value: ({ image }) => shared(image.SharedSize) },
		Unique: { header: "UNIQUE SIZE", value: ({ image }) => shared(image.Size - Math.max(0, image.SharedSize)) },
		Containers: { header: "CONTAINERS", value: ({ image }) => String(Math.max(0, image.Containers)) },
	};
	await writeRows(stdout, images, { fields: imageFields, columns: Object.keys(imageFields), format: "" });
	stdout.write("\nContainers space usage:\n\n");
	const columns = ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"];
	const containers = (usage.Containers ?? []).map(({ SizeRootFs: _size, ...container }) => container);
	await writeRows(stdout, containers, { fields: containerFields(true), columns, format: "" });
	stdout.write("\nLocal Volumes space usage:\n\n");
	await writeRows(stdout, usage.Volumes ?? [], {
		fields: VOLUME_FIELDS,
		columns: ["Name", "Links", "Size"],
		format: "",
	});
	const cache = (usage.BuildCache ?? []) as CacheRecord[];
	stdout.write(
		`\nBuild cache usage: ${preciseSize(sum(cache.filter(({ Shared }) => !Shared).map(({ Size = 0 }) => Size)))}\n\n`,
	);
}
