/** `system df -v`: every object's own figures. */
import type { BuildCacheRecord, DiskUsageResponse } from "../../api/engine/system.ts";
import { humanSize } from "../../base/units.ts";
import { containerFields } from "../container/container-fields.ts";
import { humanAge, preciseSize, truncateId } from "../formatter/human.ts";
import { type Fields, rowViews, writeRows } from "../formatter/rows.ts";
import { type ImageRow, imageFields, imageRows } from "../image/image-fields.ts";
import type { Output } from "../output.ts";
import { VOLUME_FIELDS } from "../volume/volume-fields.ts";

const IMAGE_COLUMNS = ["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"];
const CONTAINER_COLUMNS = ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"];
const CACHE_COLUMNS = ["ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared"];

const CACHE_FIELDS: Fields<BuildCacheRecord> = {
	ID: { header: "CACHE ID", value: ({ ID }) => truncateId(ID) },
	Parent: { header: "PARENT", value: ({ Parents }) => (Parents ?? []).map(truncateId).join(", ") },
	CacheType: { header: "CACHE TYPE", value: ({ Type }) => Type },
	Description: { header: "DESCRIPTION", value: ({ Description }) => Description },
	Size: { header: "SIZE", value: ({ Size }) => preciseSize(Size) },
	CreatedAt: { header: "CREATED", value: ({ CreatedAt }) => CreatedAt },
	CreatedSince: { header: "CREATED", value: ({ CreatedAt }) => ageOf(CreatedAt) },
	LastUsedAt: { header: "LAST USED", value: ({ LastUsedAt }) => LastUsedAt ?? "" },
	LastUsedSince: { header: "LAST USED", value: ({ LastUsedAt }) => (LastUsedAt === null ? "" : ageOf(LastUsedAt)) },
	UsageCount: { header: "USAGE", value: ({ UsageCount }) => String(UsageCount) },
	InUse: { header: "IN USE", value: ({ InUse }) => String(InUse) },
	Shared: { header: "SHARED", value: ({ Shared }) => String(Shared) },
};

function ageOf(time: string): string {
	return humanAge(Date.parse(time) / 1000);
}

/** As tables, as one JSON object of lists of rows, or by a template for that object. */
export async function writeUsageDetails(output: Output, usage: DiskUsageResponse, format: string): Promise<void> {
	const images = (usage.ImageUsage?.Items ?? []).flatMap((image) => imageRows(image, false).slice(0, 1));
	// The size of what an image and its container make together is the image's.
	const containers = (usage.ContainerUsage?.Items ?? []).map(({ SizeRootFs: _size, ...container }) => container);
	const volumes = usage.VolumeUsage?.Items ?? [];
	const cache = usage.BuildCacheUsage?.Items ?? [];
	if (format !== "" && format !== "table") {
		const rows = {
			Images: rowViews(imageUsageFields(false), images),
			Containers: rowViews(containerFields(false), containers),
			Volumes: rowViews(VOLUME_FIELDS, volumes),
			BuildCache: rowViews(CACHE_FIELDS, cache),
		};
		const all: Fields<typeof rows> = {
			Images: { header: "Images", value: ({ Images }) => Images },
			Containers: { header: "Containers", value: ({ Containers }) => Containers },
			Volumes: { header: "Volumes", value: ({ Volumes }) => Volumes },
			BuildCache: { header: "BuildCache", value: ({ BuildCache }) => BuildCache },
		};
		await writeRows(output, [rows], { fields: all, columns: Object.keys(all), format });
		return;
	}
	output.write("Images space usage:\n\n");
	await writeRows(output, images, { fields: imageUsageFields(true), columns: IMAGE_COLUMNS, format: "" });
	output.write("\nContainers space usage:\n\n");
	await writeRows(output, containers, { fields: containerFields(true), columns: CONTAINER_COLUMNS, format: "" });
	output.write("\nLocal Volumes space usage:\n\n");
	await writeRows(output, volumes, { fields: VOLUME_FIELDS, columns: ["Name", "Links", "Size"], format: "" });
	output.write(`\nBuild cache usage: ${preciseSize(usage.BuildCacheUsage?.TotalSize ?? 0)}\n\n`);
	await writeRows(output, cache, { fields: CACHE_FIELDS, columns: CACHE_COLUMNS, format: "" });
}

/** The columns of `images`, shared parts to the byte. */
function imageUsageFields(isTruncated: boolean): Fields<ImageRow> {
	const shared = (bytes: number) => preciseSize(Math.max(0, bytes));
	return {
		...imageFields(isTruncated),
		Size: { header: "SIZE", value: ({ image }) => humanSize(image.Size) },
		SharedSize: { header: "SHARED SIZE", value: ({ image }) => shared(image.SharedSize) },
		UniqueSize: { header: "UNIQUE SIZE", value: ({ image }) => shared(image.Size - Math.max(0, image.SharedSize)) },
		VirtualSize: { header: "SIZE", value: ({ image }) => shared(image.Size) },
		Digest: { header: "DIGEST", value: () => "" },
		Containers: { header: "CONTAINERS", value: ({ image }) => String(Math.max(0, image.Containers)) },
	};
}
