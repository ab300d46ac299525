import type { ContainerSummary } from "../../api/engine/container.ts";
import type { Filters } from "../../api/engine/filters.ts";
import type { ImageSummary } from "../../api/engine/image.ts";
import type { BuildCacheRecord } from "../../api/engine/system.ts";
import type { ApiVersion } from "../../api/engine/version.ts";
import type { Volume } from "../../api/engine/volume.ts";
import {
	buildCacheUsage,
	containerUsage,
	type DiskUsage,
	imageUsage,
	type LayerUsage,
	volumeUsage,
} from "../../core/system/disk-usage.ts";

export type DiskUsageType = "container" | "image" | "volume" | "build-cache";

/** What `df` counts of the other services. */
export interface DiskSources {
	readonly containers: (options: {
		readonly all: boolean;
		readonly limit: number;
		readonly size: boolean;
		readonly filters: Filters;
		readonly version: ApiVersion;
	}) => Promise<ContainerSummary[]>;
	readonly images: (options: {
		readonly all: boolean;
		readonly sharedSize: boolean;
		readonly filters: Filters;
		readonly version: ApiVersion;
	}) => Promise<ImageSummary[]>;
	readonly layerUsage: () => LayerUsage;
	readonly volumes: () => Promise<Volume[]>;
	readonly buildCache: () => Promise<BuildCacheRecord[]>;
}

const NO_FILTERS: Filters = new Map();

/**
 * Disk usage by type. Sizes of containers and volumes are measured file by file, which can take long: whoever asks while that goes on
 * gets the same answer.
 */
export class DiskMeter {
	readonly #running = new Map<string, Promise<unknown>>();

	constructor(private readonly sources: DiskSources) {}

	async measure(types: ReadonlySet<DiskUsageType>, version: ApiVersion): Promise<DiskUsage> {
		const shared = { filters: NO_FILTERS, version };
		const { sources } = this;
		const once = <T>(type: DiskUsageType, measure: () => Promise<T>): Promise<T | undefined> =>
			types.has(type) ? this.#once(`${type} ${version.minor}`, measure) : Promise.resolve(undefined);
		const [containers, images, volumes, buildCache] = await Promise.all([
			once("container", async () =>
				containerUsage(await sources.containers({ ...shared, all: true, limit: 0, size: true })),
			),
			once("image", async () =>
				imageUsage(await sources.images({ ...shared, all: true, sharedSize: true }), sources.layerUsage()),
			),
			once("volume", async () => volumeUsage(await sources.volumes())),
			once("build-cache", async () => buildCacheUsage(await sources.buildCache())),
		]);
		return {
			...(images === undefined ? {} : { images }),
			...(containers === undefined ? {} : { containers }),
			...(volumes === undefined ? {} : { volumes }),
			...(buildCache === undefined ? {} : { buildCache }),
		};
	}

	#once<T>(key: string, measure: () => Promise<T>): Promise<T> {
		const running = this.#running.get(key) as Promise<T> | undefined;
		if (running !== undefined) return running;
		const started = measure().finally(() => this.#running.delete(key));
		this.#running.set(key, started);
		return started;
	}
}
