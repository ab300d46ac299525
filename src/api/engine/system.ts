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

export interface DiskUsageResponse {
	LayersSize: number;
	Images: ImageSummary[];
	Containers: ContainerSummary[];
	Volumes: Volume[];
	BuildCache: unknown[];
}
