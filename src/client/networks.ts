import type { EndpointSettings } from "../api/engine/container.ts";
import type { NetworkCreateRequest, NetworkInspect } from "../api/engine/network.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { Filters } from "./filters.ts";

/** Networks. Every call throws ApiError when the daemon refuses. */
const at = (name: string, rest = "") => `/networks/${pathSegment(name)}${rest}`;

export function listNetworks(client: EngineClient, filters?: Filters): Promise<NetworkInspect[]> {
	return client.json("GET", "/networks", { query: { filters: filters?.toQuery() } });
}

export function createNetwork(
	client: EngineClient,
	request: NetworkCreateRequest,
): Promise<{ Id: string; Warning: string }> {
	return client.json("POST", "/networks/create", { json: request });
}

export async function removeNetwork(client: EngineClient, name: string): Promise<void> {
	await client.send("DELETE", at(name));
}

export async function connectNetwork(
	client: EngineClient,
	name: string,
	request: { Container: string; EndpointConfig?: EndpointSettings },
): Promise<void> {
	await client.send("POST", at(name, "/connect"), { json: request });
}

export async function disconnectNetwork(
	client: EngineClient,
	name: string,
	request: { Container: string; Force: boolean },
): Promise<void> {
	await client.send("POST", at(name, "/disconnect"), { json: request });
}

export function pruneNetworks(client: EngineClient, filters?: Filters): Promise<{ NetworksDeleted: string[] | null }> {
	return client.json("POST", "/networks/prune", { query: { filters: filters?.toQuery() } });
}
