import type { ProgressMessage } from "../api/engine/image.ts";
import type { Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse } from "../api/engine/volume.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { Filters } from "./filters.ts";
import type { HttpResponse } from "./http-connection.ts";
import { jsonLines } from "./json-lines.ts";

const at = (name: string, rest = "") => `/volumes/${pathSegment(name)}${rest}`;

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
	await client.send("DELETE", at(name), { query: { force: options.force } });
}

export function pruneVolumes(client: EngineClient, filters?: Filters): Promise<VolumePruneResponse> {
	return client.json("POST", "/volumes/prune", { query: { filters: filters?.toQuery() } });
}

export function inspectVolume(client: EngineClient, name: string): Promise<Volume & { ClusterVolume?: unknown }> {
	return client.json("GET", at(name));
}

export async function renameVolume(client: EngineClient, name: string, newName: string): Promise<void> {
	await client.send("POST", at(name, "/rename"), { query: { name: newName } });
}

/** Progress; an error comes as its last message. */
export async function* cloneVolume(
	client: EngineClient,
	name: string,
	options: { newName: string; pause: boolean },
): AsyncGenerator<ProgressMessage> {
	const query = { name: options.newName, pause: options.pause };
	yield* jsonLines<ProgressMessage>(await client.request("POST", at(name, "/clone"), { query }));
}

/** A tar of the volume's files. */
export function exportVolume(client: EngineClient, name: string, options: { pause: boolean }): Promise<HttpResponse> {
	return client.request("GET", at(name, "/export"), { query: options });
}

/** Unpacks a tar, which may be compressed. */
export function importVolume(
	client: EngineClient,
	name: string,
	options: { stream: AsyncIterable<Uint8Array>; merge: boolean },
): Promise<Volume> {
	const { stream, merge } = options;
	return client.json("POST", at(name, "/import"), { query: { merge }, stream });
}

/** Only cluster volumes can be changed. */
export async function updateVolume(client: EngineClient, name: string, availability: string): Promise<void> {
	await client.send("PUT", at(name), { json: { Spec: { Availability: availability } } });
}
