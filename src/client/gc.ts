import type { GcRequest, GcResponse, PinsResponse } from "../api/engine/gc.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";

/** The disk budget; only Gantry's daemon has it. */
export function collectGarbage(client: EngineClient, request: GcRequest): Promise<GcResponse> {
	return client.json("POST", "/x-gantry/gc", { json: request });
}

export async function listPins(client: EngineClient): Promise<string[]> {
	return (await client.json<PinsResponse>("GET", "/x-gantry/pins")).Pins;
}

/** @returns the name as it is pinned */
export async function pinImage(client: EngineClient, name: string): Promise<string> {
	return (await client.json<PinsResponse>("PUT", pathOf(name))).Pins[0] ?? name;
}

export async function unpinImage(client: EngineClient, name: string): Promise<string> {
	return (await client.json<PinsResponse>("DELETE", pathOf(name))).Pins[0] ?? name;
}

function pathOf(name: string): string {
	return `/x-gantry/pins/${pathSegment(name).replaceAll("%2F", "/").replaceAll("%3A", ":")}`;
}
