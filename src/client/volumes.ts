import type { Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse } from "../api/engine/volume.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { Filters } from "./filters.ts";

/** Volumes. Every call throws ApiError when the daemon refuses. */
export function createVolume(client: EngineClient, request: VolumeCreateRequest): Promise<Volume> {
	return client.json("POST", "/volumes/create", { json: request });
}

export function listVolumes(client: EngineClient, filters?: Filters): Promise<VolumeListResponse> {
	return client.json("GET", "/volumes", { query: { filters: filters?.toQuery() } });
}

export async function removeVolume(
	client: EngineClient,
	name: string,
	options: { force?: boolean } = {},
): Promise<void> {
	await client.send("DELETE", `/volumes/${pathSegment(name)}`, { query: { force: options.force } });
}

export function pruneVolumes(client: EngineClient, filters?: Filters): Promise<VolumePruneResponse> {
	return client.json("POST", "/volumes/prune", { query: { filters: filters?.toQuery() } });
}
