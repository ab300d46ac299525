import type {
	AuthConfig,
	AuthResponse,
	DistributionInspect,
	IndexPushRequest,
	ManifestInspect,
	SearchResponse,
} from "../api/engine/registry.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { Filters } from "./filters.ts";

/** What the daemon does with registries beside images. Every call throws ApiError when the daemon or the registry refuses. */
export function loginToRegistry(client: EngineClient, auth: AuthConfig): Promise<AuthResponse> {
	return client.json("POST", "/auth", { json: auth });
}

export interface SearchOptions {
	term: string;
	/** 0: the daemon's default. */
	limit: number;
	filters: Filters;
	registryAuth?: string | undefined;
}

export function searchRegistry(client: EngineClient, options: SearchOptions): Promise<SearchResponse[]> {
	const { term, limit, filters, registryAuth } = options;
	return client.json("GET", "/images/search", {
		query: { term, limit: limit === 0 ? undefined : String(limit), filters: filters.toQuery() },
		headers: authHeader(registryAuth),
	});
}

export function inspectDistribution(
	client: EngineClient,
	name: string,
	registryAuth?: string,
): Promise<DistributionInspect> {
	return client.json("GET", `/distribution/${pathOf(name)}/json`, { headers: authHeader(registryAuth) });
}

/** A manifest's exact bytes; an addition to Docker's API. */
export function fetchManifest(client: EngineClient, name: string, registryAuth?: string): Promise<ManifestInspect> {
	return client.json("GET", `/x-gantry/manifests/${pathOf(name)}`, { headers: authHeader(registryAuth) });
}

export function pushIndex(
	client: EngineClient,
	name: string,
	index: IndexPushRequest,
	registryAuth?: string,
): Promise<{ digest: string }> {
	return client.json("PUT", `/x-gantry/manifests/${pathOf(name)}`, { json: index, headers: authHeader(registryAuth) });
}

function pathOf(name: string): string {
	return pathSegment(name).replaceAll("%2F", "/").replaceAll("%3A", ":");
}

function authHeader(registryAuth: string | undefined): Record<string, string> {
	return registryAuth === undefined ? {} : { "X-Registry-Auth": registryAuth };
}
