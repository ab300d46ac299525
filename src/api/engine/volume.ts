import type { StringMap } from "./container.ts";

export interface Volume {
	Name: string;
	Driver: string;
	Mountpoint: string;
	CreatedAt?: string;
	Status?: Record<string, unknown>;
	Labels: StringMap | null;
	Scope: "local" | "global";
	Options: StringMap | null;
	UsageData?: { Size: number; RefCount: number };
}

export interface VolumeCreateRequest {
	Name?: string;
	Driver?: string;
	DriverOpts?: StringMap | null;
	Labels?: StringMap | null;
	ClusterVolumeSpec?: unknown;
}

export interface VolumeListResponse {
	Volumes: Volume[];
	Warnings: string[] | null;
}

export interface VolumePruneResponse {
	VolumesDeleted: string[] | null;
	SpaceReclaimed: number;
}
