import type { ContainerSummary, StringMap } from "./container.ts";
import type { ImageSummary } from "./image.ts";
import type { Volume } from "./volume.ts";

export interface VersionResponse {
	Platform: { Name: string };
	Components: { Name: string; Version: string; Details?: StringMap }[];
	Version: string;
	ApiVersion: string;
	MinAPIVersion: string;
	GitCommit: string;
	GoVersion: string;
	Os: string;
	Arch: string;
	KernelVersion: string;
	BuildTime: string;
}

/** `GET /info`. Only what clients read is typed; the rest is carried as it is. */
export interface InfoResponse extends Record<string, unknown> {
	ID: string;
	Containers: number;
	ContainersRunning: number;
	ContainersPaused: number;
	ContainersStopped: number;
	Images: number;
	Driver: string;
	DriverStatus: [string, string][];
	Name: string;
	ServerVersion: string;
	Warnings: string[] | null;
}

/** One kind of object in `GET /system/df` from API 1.52 on. */
export interface ObjectDiskUsage<T> {
	ActiveCount: number;
	TotalCount: number;
	/** Bytes that removing the inactive ones frees. */
	Reclaimable: number;
	/** Bytes, what several share counted once. */
	TotalSize: number;
	/** With `verbose`. */
	Items?: T[];
}

/** A step or mount of the build cache. */
export interface BuildCacheRecord {
	ID: string;
	Parents?: string[];
	/** `regular`, `source.local`, `exec.cachemount`, … */
	Type: string;
	Description: string;
	InUse: boolean;
	/** An image has it, too. */
	Shared: boolean;
	Size: number;
	CreatedAt: string;
	LastUsedAt: string | null;
	UsageCount: number;
}

/** `GET /system/df`; types that were not asked for are absent. */
export interface DiskUsageResponse {
	ImageUsage?: ObjectDiskUsage<ImageSummary>;
	ContainerUsage?: ObjectDiskUsage<ContainerSummary>;
	VolumeUsage?: ObjectDiskUsage<Volume>;
	BuildCacheUsage?: ObjectDiskUsage<BuildCacheRecord>;
}

/** The same up to API 1.52. */
export interface LegacyDiskUsageResponse {
	LayersSize?: number;
	Images?: ImageSummary[];
	Containers?: ContainerSummary[];
	Volumes?: Volume[];
	BuildCache?: BuildCacheRecord[];
	/** Up to 1.41. */
	BuilderSize?: number;
}
