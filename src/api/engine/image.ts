import type { ContainerConfig, StringMap } from "./container.ts";

export interface ImageSummary {
	Id: string;
	ParentId: string;
	RepoTags: string[];
	RepoDigests: string[];
	/** Seconds since the epoch. */
	Created: number;
	Size: number;
	/** -1: not calculated. */
	SharedSize: number;
	/** Gone from API 1.44 on. */
	VirtualSize?: number;
	Labels: StringMap | null;
	/** Number of containers using it; -1: not calculated. */
	Containers: number;
}

export interface ImageInspect {
	Id: string;
	RepoTags: string[];
	RepoDigests: string[];
	Parent: string;
	Comment: string;
	Created?: string;
	DockerVersion: string;
	Author: string;
	Config: ContainerConfig;
	Architecture: string;
	Variant?: string;
	Os: string;
	OsVersion?: string;
	Size: number;
	VirtualSize?: number;
	GraphDriver: { Name: string; Data: StringMap | null };
	RootFS: { Type: string; Layers?: string[] };
	Metadata: { LastTagTime: string };
}

export interface ImageHistoryEntry {
	/** `<missing>` for a parent that is not an image here. */
	Id: string;
	Created: number;
	CreatedBy: string;
	Tags: string[] | null;
	Size: number;
	Comment: string;
}

export type ImageDeleteResponse = { Untagged: string } | { Deleted: string };

export interface ImagePruneResponse {
	ImagesDeleted: ImageDeleteResponse[] | null;
	SpaceReclaimed: number;
}

/** One line of the progress streams (`/images/create`, `/images/load`, `/build`, …). */
export interface ProgressMessage {
	stream?: string;
	status?: string;
	id?: string;
	progress?: string;
	progressDetail?: { current?: number; total?: number };
	error?: string;
	errorDetail?: { code?: number; message: string };
	aux?: unknown;
}
