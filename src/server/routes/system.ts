import type { EventMessage } from "../../api/engine/event.ts";
import type { DiskUsageResponse, ObjectDiskUsage } from "../../api/engine/system.ts";
import { atLeast } from "../../api/engine/version.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { type DiskUsage, legacyDiskUsage, type MeasuredUsage } from "../../core/system/disk-usage.ts";
import type { ApiRequest } from "../api-request.ts";
import type { Backends, SystemBackend } from "../backends.ts";
import { json, type Reply } from "../http/reply.ts";
import { infoOf } from "../legacy-info.ts";
import type { Route } from "../router.ts";
import { parseTimestampSeconds } from "../timestamps.ts";

const PING_HEADERS = {
	"Builder-Version": "2",
	"Cache-Control": "no-cache, no-store, must-revalidate",
	Pragma: "no-cache",
	Swarm: "inactive",
};

export function systemRoutes({ system }: Backends): Route[] {
	return [
		{ method: "GET", path: "/_ping", handle: ping },
		{ method: "HEAD", path: "/_ping", handle: ping },
		{ method: "GET", path: "/version", handle: () => json(system.version()) },
		{ method: "GET", path: "/info", handle: async ({ version }) => json(infoOf(await system.info(), version)) },
		{ method: "GET", path: "/events", handle: (request) => events(system, request) },
		{ method: "GET", path: "/system/df", handle: (request) => diskUsage(system, request) },
	];
}

function ping({ method }: ApiRequest): Reply {
	return { kind: "text", status: 200, text: method === "HEAD" ? "" : "OK", headers: PING_HEADERS };
}

function events(system: SystemBackend, { query, signal, version }: ApiRequest): Reply {
	const since = parseTimestampSeconds(query.text("since"));
	const until = parseTimestampSeconds(query.text("until"));
	if (since !== undefined && until !== undefined && since > until)
		throw new InvalidParameterError(
			`\`since\` time (${query.text("since")}) cannot be after \`until\` time (${query.text("until")})`,
		);
	const options = {
		filters: query.filters(),
		...(since === undefined ? {} : { since }),
		...(until === undefined ? {} : { until }),
	};
	const messages = system.events(options, signal);
	return {
		kind: "lines",
		items: atLeast(version, 52) ? withoutLegacyFields(messages) : messages,
		headersAtOnce: true,
		errorsInBand: false,
		separator: "\n",
	};
}

async function* withoutLegacyFields(messages: AsyncIterable<EventMessage>): AsyncGenerator<EventMessage> {
	for await (const { status, id, from, ...message } of messages) yield message;
}

const OBJECT_TYPES = ["container", "image", "volume", "build-cache"] as const;

/**
 * From API 1.53 on only the new shape; with 1.52 both, unless `verbose` shows a client that knows the new one. A client that names no
 * version is mostly an old one: it gets both.
 */
async function diskUsage(system: SystemBackend, { query, version, isVersioned }: ApiRequest): Promise<Reply> {
	const asked = atLeast(version, 42) ? query.list("type") : [];
	const types = new Set(asked.length === 0 ? OBJECT_TYPES : asked.map(objectType));
	const usage = await system.diskUsage(types, version);
	if (!atLeast(version, 52)) return json(legacyDiskUsage(usage, version));
	const isVerbose = query.flag("verbose");
	const knowsNewShape = isVerbose || (isVersioned && atLeast(version, 53));
	return json({
		...(knowsNewShape ? {} : legacyDiskUsage(usage, version)),
		...diskUsageResponse(usage, isVerbose),
	});
}

function objectType(text: string): (typeof OBJECT_TYPES)[number] {
	const type = OBJECT_TYPES.find((known) => known === text);
	if (type === undefined) throw new InvalidParameterError(`unknown object type: ${text}`);
	return type;
}

function diskUsageResponse(usage: DiskUsage, isVerbose: boolean): DiskUsageResponse {
	const { images, containers, volumes, buildCache } = usage;
	return {
		...(images === undefined ? {} : { ImageUsage: objectUsage(images, isVerbose) }),
		...(containers === undefined ? {} : { ContainerUsage: objectUsage(containers, isVerbose) }),
		...(volumes === undefined ? {} : { VolumeUsage: objectUsage(volumes, isVerbose) }),
		...(buildCache === undefined ? {} : { BuildCacheUsage: objectUsage(buildCache, isVerbose) }),
	};
}

function objectUsage<T>({ Items, ...counts }: MeasuredUsage<T>, isVerbose: boolean): ObjectDiskUsage<T> {
	return isVerbose && Items.length > 0 ? { ...counts, Items } : counts;
}
