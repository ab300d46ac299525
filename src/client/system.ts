import type { EventMessage } from "../api/engine/event.ts";
import type {
	DiskUsageResponse,
	InfoResponse,
	LegacyDiskUsageResponse,
	VersionResponse,
} from "../api/engine/system.ts";
import { type EngineClient, pathSegment, type QueryValue } from "./engine-client.ts";
import type { Filters } from "./filters.ts";
import { jsonLines } from "./json-lines.ts";

/** The daemon itself. */
export function daemonInfo(client: EngineClient): Promise<InfoResponse> {
	return client.json("GET", "/info");
}

export function daemonVersion(client: EngineClient): Promise<VersionResponse> {
	return client.json("GET", "/version");
}

/** The new shape where the daemon has it. With `verbose` every object's own figures come, too; old daemons always send them. */
export function diskUsage(
	client: EngineClient,
	options: { verbose: boolean },
): Promise<DiskUsageResponse & LegacyDiskUsageResponse> {
	return client.json("GET", "/system/df", { query: { verbose: options.verbose }, version: "1.53" });
}

/** Events as they happen, until the daemon ends the stream; nanoseconds are exact. */
export async function* daemonEvents(
	client: EngineClient,
	options: { since?: string | undefined; until?: string | undefined; filters?: Filters },
): AsyncGenerator<EventMessage> {
	const { since, until, filters } = options;
	const response = await client.request("GET", "/events", { query: { since, until, filters: filters?.toQuery() } });
	// A number past 2^53 would be rounded: it is read as text.
	const quoteNanoseconds = (text: string) => text.replace(/"timeNano":\s*(\d+)/, '"timeNano":"$1"');
	for await (const event of jsonLines<EventMessage & { timeNano: string | bigint }>(response, quoteNanoseconds))
		yield { ...event, timeNano: BigInt(event.timeNano ?? 0) };
}

const INSPECT_PATHS = {
	container: (id: string) => `/containers/${id}/json`,
	image: (id: string) => `/images/${id.replaceAll("%2F", "/").replaceAll("%3A", ":")}/json`,
	network: (id: string) => `/networks/${id}`,
	volume: (id: string) => `/volumes/${id}`,
} as const;

export type InspectKind = keyof typeof INSPECT_PATHS;

/** The JSON text of an object just as the daemon wrote it, for `inspect`, which must not lose a digit of it. */
export async function inspectText(
	client: EngineClient,
	kind: InspectKind,
	name: string,
	query: Readonly<Record<string, QueryValue>> = {},
): Promise<string> {
	return (await (await client.request("GET", INSPECT_PATHS[kind](pathSegment(name)), { query })).text()).trim();
}
