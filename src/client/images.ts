import type {
	ImageDeleteResponse,
	ImageHistoryEntry,
	ImagePruneResponse,
	ImageSummary,
	ProgressMessage,
} from "../api/engine/image.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { Filters } from "./filters.ts";
import type { HttpResponse } from "./http-connection.ts";
import { jsonLines } from "./json-lines.ts";

/** Images. `name` is a reference, an ID or a prefix of one. Every call throws ApiError when the daemon refuses. */
const at = (name: string, rest = "") =>
	`/images/${pathSegment(name).replaceAll("%2F", "/").replaceAll("%3A", ":")}${rest}`;

export function listImages(
	client: EngineClient,
	options: { all?: boolean; filters?: Filters } = {},
): Promise<ImageSummary[]> {
	return client.json("GET", "/images/json", { query: { all: options.all, filters: options.filters?.toQuery() } });
}

export function imageHistory(
	client: EngineClient,
	name: string,
	options: { platform?: string | undefined } = {},
): Promise<ImageHistoryEntry[]> {
	return client.json("GET", at(name, "/history"), { query: { platform: options.platform } });
}

export function removeImage(
	client: EngineClient,
	name: string,
	options: { force?: boolean; isParentKept?: boolean; platforms?: readonly string[] } = {},
): Promise<ImageDeleteResponse[]> {
	const { force, isParentKept, platforms } = options;
	return client.json("DELETE", at(name), { query: { force, noprune: isParentKept, platforms } });
}

export async function tagImage(client: EngineClient, name: string, repository: string, tag: string): Promise<void> {
	await client.send("POST", at(name, "/tag"), { query: { repo: repository, tag: tag === "" ? undefined : tag } });
}

export function pruneImages(client: EngineClient, filters?: Filters): Promise<ImagePruneResponse> {
	return client.json("POST", "/images/prune", { query: { filters: filters?.toQuery() } });
}

/** Progress of a pull; an error comes as its last message. */
export async function* pullImage(
	client: EngineClient,
	options: { fromImage: string; tag: string; platform?: string | undefined; registryAuth?: string | undefined },
): AsyncGenerator<ProgressMessage> {
	const { fromImage, tag, platform, registryAuth } = options;
	const headers = registryAuth === undefined ? {} : { "X-Registry-Auth": registryAuth };
	yield* jsonLines<ProgressMessage>(
		await client.request("POST", "/images/create", {
			query: { fromImage, tag: tag || undefined, platform: platform || undefined },
			headers,
		}),
	);
}

export async function* pushImage(
	client: EngineClient,
	name: string,
	options: { tag: string; platform?: string | undefined; registryAuth?: string | undefined },
): AsyncGenerator<ProgressMessage> {
	const { tag, platform, registryAuth = "" } = options;
	const query = { tag: tag || undefined, platform };
	yield* jsonLines<ProgressMessage>(
		await client.request("POST", at(name, "/push"), { query, headers: { "X-Registry-Auth": registryAuth } }),
	);
}

export interface ImportOptions {
	/** `-` for the stream, else a URL the daemon fetches. */
	source: string;
	repository: string;
	tag: string;
	message?: string | undefined;
	changes?: readonly string[];
	platform?: string | undefined;
}

export async function* importImage(
	client: EngineClient,
	options: ImportOptions,
	stream?: AsyncIterable<Uint8Array>,
): AsyncGenerator<ProgressMessage> {
	const { source, repository, tag, message, changes, platform } = options;
	const query = {
		fromSrc: source,
		repo: repository || undefined,
		tag: tag || undefined,
		message: message || undefined,
		changes,
		platform: platform || undefined,
	};
	yield* jsonLines<ProgressMessage>(
		await client.request("POST", "/images/create", { query, ...(stream === undefined ? {} : { stream }) }),
	);
}

export function loadImages(
	client: EngineClient,
	stream: AsyncIterable<Uint8Array>,
	options: { isQuiet: boolean; platforms?: readonly string[] },
): Promise<HttpResponse> {
	const query = { quiet: options.isQuiet ? "1" : "0", platform: options.platforms };
	return client.request("POST", "/images/load", { query, stream });
}

/** A tar archive of the images, with their tags. */
export function saveImages(
	client: EngineClient,
	names: readonly string[],
	options: { platforms?: readonly string[] } = {},
): Promise<HttpResponse> {
	return client.request("GET", "/images/get", { query: { names, platform: options.platforms } });
}

export interface CommitOptions {
	container: string;
	repository: string;
	tag: string;
	author?: string | undefined;
	comment?: string | undefined;
	changes?: readonly string[];
	isPaused: boolean;
}

export function commitContainer(client: EngineClient, options: CommitOptions): Promise<{ Id: string }> {
	const { container, repository, tag, author, comment, changes, isPaused } = options;
	return client.json("POST", "/commit", {
		query: {
			container,
			repo: repository || undefined,
			tag: tag || undefined,
			author: author || undefined,
			comment: comment || undefined,
			changes,
			pause: isPaused ? "1" : "0",
		},
		json: {},
	});
}
