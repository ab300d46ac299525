import { NotFoundError } from "../base/errors.ts";
import { ApiError } from "./api-error.ts";
import type { EngineClient } from "./engine-client.ts";
import type { Filters } from "./filters.ts";
import type { SocketChannel } from "./socket-channel.ts";

/**
 * A connection that carries one build session. The caller speaks its protocol, and destroys it in the end: that cancels what still builds.
 * @throws NotFoundError when the daemon is none of ours, ApiError
 */
export async function openBuildSession(client: EngineClient): Promise<SocketChannel> {
	try {
		return await client.hijack("/x-gantry/build");
	} catch (error) {
		if (!(error instanceof ApiError) || error.status !== 404) throw error;
		throw new NotFoundError("the daemon does not know gantry's builds: it is another engine, or an older version", {
			cause: error,
		});
	}
}

export interface BuildPruneResponse {
	CachesDeleted: string[] | null;
	SpaceReclaimed: number;
}

export interface BuildPruneOptions {
	readonly all?: boolean;
	readonly filters?: Filters;
	readonly reservedBytes?: number | undefined;
	readonly maxUsedBytes?: number | undefined;
	readonly minFreeBytes?: number | undefined;
}

/** Removes records of the build cache. */
export function pruneBuilds(client: EngineClient, options: BuildPruneOptions = {}): Promise<BuildPruneResponse> {
	const { all, filters, reservedBytes, maxUsedBytes, minFreeBytes } = options;
	return client.json("POST", "/build/prune", {
		query: {
			all,
			filters: filters?.toQuery(),
			"reserved-space": reservedBytes,
			"max-used-space": maxUsedBytes,
			"min-free-space": minFreeBytes,
		},
	});
}
