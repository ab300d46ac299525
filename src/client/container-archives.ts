import type { ContainerPathStat } from "../api/engine/container.ts";
import { SystemError } from "../base/errors.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { HttpResponse } from "./http-connection.ts";

/** Files in containers, as tar streams. Every call throws ApiError when the daemon refuses. */
const at = (id: string) => `/containers/${pathSegment(id)}/archive`;
const STAT_HEADER = "x-docker-container-path-stat";

export async function statContainerPath(client: EngineClient, id: string, path: string): Promise<ContainerPathStat> {
	return parseStat(await client.request("HEAD", at(id), { query: { path } }));
}

export async function readContainerArchive(
	client: EngineClient,
	id: string,
	path: string,
): Promise<{ stat: ContainerPathStat; archive: HttpResponse }> {
	const archive = await client.request("GET", at(id), { query: { path } });
	return { stat: parseStat(archive), archive };
}

/** Unpacks a tar into the existing directory `path`. */
export async function writeContainerArchive(
	client: EngineClient,
	id: string,
	options: { path: string; hasOwners: boolean; stream: AsyncIterable<Uint8Array> },
): Promise<void> {
	const { path, hasOwners, stream } = options;
	await client.send("PUT", at(id), {
		query: { path, noOverwriteDirNonDir: "true", copyUIDGID: hasOwners ? "true" : undefined },
		stream,
	});
}

function parseStat(response: HttpResponse): ContainerPathStat {
	try {
		return JSON.parse(Buffer.from(response.headers.get(STAT_HEADER) ?? "", "base64").toString()) as ContainerPathStat;
	} catch (cause) {
		throw new SystemError("unable to decode container path stat header", { cause });
	}
}
