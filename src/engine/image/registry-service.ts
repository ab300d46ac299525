import type { Filters } from "../../api/engine/filters.ts";
import { checkFilterKeys } from "../../api/engine/filters.ts";
import type { AuthResponse, DistributionInspect, SearchResponse } from "../../api/engine/registry.ts";
import type { Platform } from "../../api/oci/image.ts";
import { type Digest, sha256 } from "../../base/digest.ts";
import { ForbiddenError, InvalidParameterError, NotFoundError, UnauthorizedError } from "../../base/errors.ts";
import { formatReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";
import { placeOf } from "../../core/remotes/endpoint.ts";
import { CONFIG_LIMIT_BYTES, isForeign, parseManifest } from "../../core/remotes/manifest.ts";
import { pullError } from "../../core/remotes/pull-error.ts";
import type {
	Fetcher,
	Pusher,
	RegistryCredentials,
	RemoteManifest,
	Remotes,
	SearchResult,
} from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { readBlob, verified } from "./verified-stream.ts";

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

	/** A manifest or an index as it is. @throws InvalidParameterError, NotFoundError */
	async manifest(
		image: string,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<RemoteManifest> {
		const reference = withDefaultTag(parseReference(image));
		const fetcher = await this.remotes.fetcher(reference.name, credentials);
		try {
			return await fetcher.manifest(reference.digest ?? reference.tag ?? "", signal);
		} catch (error) {
			throw distributionError(error, reference.name, formatReference(reference));
		}
	}

	/**
	 * Uploads an index. Manifests of it that lie in other repositories of the same registry come along, their blobs mounted.
	 * @param sources references with digests
	 * @returns the index's digest
	 */
	async pushIndex(
		image: string,
		index: { readonly mediaType: string; readonly bytes: Uint8Array; readonly sources: readonly string[] },
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<Digest> {
		const target = withDefaultTag(parseReference(image));
		const { bytes, mediaType } = index;
		if (parseManifest(bytes, mediaType).kind !== "index") throw new InvalidParameterError("no list of manifests");
		const pusher = await this.remotes.pusher(target.name, credentials);
		for (const source of index.sources) {
			const { name, digest } = parseReference(source);
			if (digest === undefined || placeOf(name).domain !== placeOf(target.name).domain)
				throw new InvalidParameterError(
					`cannot use source images from a different registry than the target image: ${source}`,
				);
			if (name !== target.name) await this.#bring(pusher, name, digest, credentials, signal);
		}
		const digest = sha256(bytes);
		await pusher.putManifest(target.tag ?? digest, { bytes, mediaType, digest }, signal);
		return digest;
	}

	async #bring(
		pusher: Pusher,
		name: string,
		digest: Digest,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<void> {
		if (await pusher.hasManifest(digest, signal)) return;
		const fetcher = await this.remotes.fetcher(name, credentials);
		const manifest = await fetcher.manifest(digest, signal);
		const parsed = parseManifest(manifest.bytes, manifest.mediaType);
		if (parsed.kind === "index") throw new InvalidParameterError(`${name}@${digest} is a list of manifests itself`);
		for (const blob of [parsed.manifest.config, ...parsed.manifest.layers]) {
			if (isForeign(blob) || (await pusher.hasBlob(blob.digest, signal))) continue;
			if (await pusher.mountBlob(blob.digest, placeOf(name).path, signal)) continue;
			const bytes = { digest: blob.digest, sizeBytes: blob.size };
			const open = async function* () {
				yield* verified(await fetcher.blob(bytes, signal), bytes).stream;
			};
			await pusher.uploadBlob({ digest: () => blob.digest, open, sizeBytes: blob.size }, signal);
		}
		await pusher.putManifest(digest, manifest, signal);
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
	const bytes = Buffer.from(await readBlob(fetcher, blob, signal));
	try {
		const { architecture, os, variant } = JSON.parse(bytes.toString("utf8")) as Partial<Platform>;
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
	if (error instanceof RemoteError && error.failure.code === "DENIED")
		return new ForbiddenError(error.message, { cause: error });
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
		throw new InvalidParameterError(`invalid filter '${name}=[${values.join(" ")}]'`);
	return value === "true" || value === "1";
}

function starCount(text: string): number {
	if (!/^[+-]?\d+$/.test(text))
		throw new InvalidParameterError(`invalid filter 'stars=${text}': strconv.Atoi: parsing "${text}": invalid syntax`);
	return Number(text);
}
