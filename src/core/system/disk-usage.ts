/** What `system df` makes of lists: how many, how many in use, how much disk, how much of it would be free. */
import type { ContainerSummary } from "../../api/engine/container.ts";
import type { ImageSummary } from "../../api/engine/image.ts";
import type { BuildCacheRecord, LegacyDiskUsageResponse, ObjectDiskUsage } from "../../api/engine/system.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import type { Volume } from "../../api/engine/volume.ts";

/** Bytes of layers, each once, and of those that no container stands on. */
export interface LayerUsage {
	readonly totalBytes: number;
	readonly reclaimableBytes: number;
}

/** With its items, as an engine has it. */
export type MeasuredUsage<T> = Required<ObjectDiskUsage<T>>;

export interface DiskUsage {
	readonly images?: MeasuredUsage<ImageSummary>;
	readonly containers?: MeasuredUsage<ContainerSummary>;
	readonly volumes?: MeasuredUsage<Volume>;
	readonly buildCache?: MeasuredUsage<BuildCacheRecord>;
}

export function imageUsage(images: ImageSummary[], layers: LayerUsage): MeasuredUsage<ImageSummary> {
	return {
		ActiveCount: images.filter(({ Containers }) => Containers > 0).length,
		TotalCount: images.length,
		Reclaimable: layers.reclaimableBytes,
		TotalSize: layers.totalBytes,
		Items: images,
	};
}

/** Their writable layers. Nothing is reclaimable of one that runs. */
export function containerUsage(containers: ContainerSummary[]): MeasuredUsage<ContainerSummary> {
	const isActive = ({ State }: ContainerSummary) => ["running", "paused", "restarting"].includes(State);
	const size = ({ SizeRw = 0 }: ContainerSummary) => SizeRw;
	return measured(containers, { isActive, size, isReclaimable: (container) => !isActive(container) });
}

export function volumeUsage(volumes: Volume[]): MeasuredUsage<Volume> {
	const isActive = ({ UsageData }: Volume) => (UsageData?.RefCount ?? 0) > 0;
	// -1: not known.
	const size = ({ UsageData }: Volume) => Math.max(0, UsageData?.Size ?? 0);
	return measured(volumes, { isActive, size, isReclaimable: (volume) => !isActive(volume) });
}

/** What images have, too, counts there. */
export function buildCacheUsage(records: BuildCacheRecord[]): MeasuredUsage<BuildCacheRecord> {
	const isActive = ({ InUse }: BuildCacheRecord) => InUse;
	const size = ({ Size, Shared }: BuildCacheRecord) => (Shared ? 0 : Size);
	return measured(records, { isActive, size, isReclaimable: (record) => !record.InUse });
}

/** The answer's shape up to API 1.52. */
export function legacyDiskUsage(usage: DiskUsage, version: ApiVersion): LegacyDiskUsageResponse {
	const { images, containers, volumes, buildCache } = usage;
	return {
		...(images === undefined ? {} : { LayersSize: images.TotalSize, Images: images.Items }),
		...(containers === undefined ? {} : { Containers: containers.Items }),
		...(volumes === undefined ? {} : { Volumes: volumes.Items }),
		...(buildCache === undefined ? {} : { BuildCache: buildCache.Items }),
		...(buildCache === undefined || atLeast(version, 42)
			? {}
			: { BuilderSize: buildCache.Items.reduce((sum, { Size }) => sum + Size, 0) }),
	};
}

interface Measure<T> {
	readonly isActive: (item: T) => boolean;
	readonly isReclaimable: (item: T) => boolean;
	readonly size: (item: T) => number;
}

function measured<T>(items: T[], { isActive, isReclaimable, size }: Measure<T>): MeasuredUsage<T> {
	const sum = (list: readonly T[]) => list.reduce((total, item) => total + size(item), 0);
	return {
		ActiveCount: items.filter(isActive).length,
		TotalCount: items.length,
		Reclaimable: sum(items.filter(isReclaimable)),
		TotalSize: sum(items),
		Items: items,
	};
}
