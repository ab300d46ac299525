import type { Filters } from "../../api/engine/filters.ts";
import { checkFilterKeys } from "../../api/engine/filters.ts";
import type { AuthResponse, DistributionInspect, SearchResponse } from "../../api/engine/registry.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError, NotFoundError, UnauthorizedError } from "../../base/errors.ts";
import { formatReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";
import { CONFIG_LIMIT_BYTES, parseManifest } from "../../core/remotes/manifest.ts";
import { pullError } from "../../core/remotes/pull-error.ts";
import type { Fetcher, RegistryCredentials, Remotes, SearchResult } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { verified } from "./verified-stream.ts";

const SEARCH_LIMIT = 100;
const DEFAULT_SEARCH_LIMIT = 25;
const SEARCH_FILTERS = ["is-automated", "is-official", "stars"];

export interface SearchRequest {
	readonly term: string;
	/** 0: the default. */
	readonly limit: number;
	readonly filters: Filters;
	readonly credentials: RegistryCredentials | undefined;
}

/** What the Engine API asks of registries beside images. */
export class RegistryService {
	constructor(readonly remotes: Remotes) {}

	/** @throws UnauthorizedError, RemoteError */
	async login(
		server: string,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<AuthResponse> {
		if (credentials === undefined) throw new UnauthorizedError("unauthorized: incorrect username or password");
		const token = await this.remotes.login(server, credentials, signal);
		return { Status: "Login Succeeded", ...(token === undefined ? {} : { IdentityToken: token }) };
	}

	/** @throws InvalidParameterError, RemoteError */
	async search(request: SearchRequest, signal: AbortSignal): Promise<SearchResponse[]> {
		const { term, filters, credentials } = request;
		checkFilterKeys(filters, SEARCH_FILTERS);
		const limit = request.limit === 0 ? DEFAULT_SEARCH_LIMIT : request.limit;
		if (limit < 1 || limit > SEARCH_LIMIT)
			throw new InvalidParameterError(`limit ${limit} is outside the range of [1, ${SEARCH_LIMIT}]`);
		const wanted = searchFilter(filters);
		const results = await this.remotes.search(term, limit, credentials, signal);
		return results.filter(wanted).map((result) => ({
			name: result.name,
			description: result.description,
			star_count: result.stars,
			is_official: result.isOfficial,
			is_automated: false,
		}));
	}

	/** What a reference stands for, and on which platforms it runs. @throws InvalidParameterError, NotFoundError */
	async distribution(
		image: string,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<DistributionInspect> {
		const reference = withDefaultTag(parseReference(image));
		const fetcher = await this.remotes.fetcher(reference.name, credentials);
		try {
			const manifest = await fetcher.manifest(reference.digest ?? reference.tag ?? "", signal);
			const { digest, mediaType, bytes } = manifest;
			const parsed = parseManifest(bytes, mediaType);
			const platforms =
				parsed.kind === "index"
					? parsed.index.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform]))
					: await platformOfConfig(fetcher, parsed.manifest.config, signal);
			return { Descriptor: { mediaType, digest, size: bytes.length }, Platforms: platforms };
		} catch (error) {
			throw distributionError(error, reference.name, formatReference(reference));
		}
	}
}

async function platformOfConfig(
	fetcher: Fetcher,
	config: { readonly digest: Digest; readonly size: number },
	signal: AbortSignal,
): Promise<Platform[]> {
	if (config.size > CONFIG_LIMIT_BYTES) return [];
	const blob = { digest: config.digest, sizeBytes: config.size };
	const parts: Uint8Array[] = [];
	for await (const part of verified(await fetcher.blob(blob, signal), blob).stream) parts.push(part);
	try {
		const { architecture, os, variant } = JSON.parse(Buffer.concat(parts).toString("utf8")) as Partial<Platform>;
		if (typeof architecture !== "string" || typeof os !== "string") return [];
		return [{ architecture, os, ...(typeof variant === "string" ? { variant } : {}) }];
	} catch {
		// The configuration of an artifact need not be JSON: it runs nowhere.
		return [];
	}
}

function distributionError(error: unknown, name: string, reference: string): unknown {
	if (error instanceof RemoteError && error.failure.code === "MANIFEST_UNKNOWN")
		return new NotFoundError(error.message, { cause: error });
	return pullError(error, name, reference);
}

function searchFilter(filters: Filters): (result: SearchResult) => boolean {
	const official = flagFilter(filters, "is-official");
	const automated = flagFilter(filters, "is-automated");
	const stars = Math.max(0, ...(filters.get("stars") ?? []).map(starCount));
	return (result) =>
		(official === undefined || result.isOfficial === official) && automated !== true && result.stars >= stars;
}

function flagFilter(filters: Filters, name: string): boolean | undefined {
	const values = filters.get(name) ?? [];
	const [value] = values;
	if (value === undefined) return undefined;
	if (values.length > 1 || !["true", "false", "1", "0"].includes(value))
		throw new InvalidParameterError(`invalid filter '${name}=${JSON.stringify(values)}'`);
	return value === "true" || value === "1";
}

function starCount(text: string): number {
	if (!/^\d+$/.test(text)) throw new InvalidParameterError(`invalid filter 'stars=[${text}]'`);
	return Number(text);
}
