import { type Digest, isDigest } from "../../base/digest.ts";
import { errorKind, errorMessage, NotFoundError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import { RegistryError, registryError } from "../../core/registry/registry-error.ts";
import type { Upstream } from "../../core/registry/upstream.ts";
import { walkRepositories } from "../catalog.ts";
import type { StoredManifest } from "../manifests.ts";
import type { Registry } from "../registry.ts";
import { Download } from "./download.ts";
import type { ArrivingBlob, PullThrough } from "./pull-through.ts";

export interface CacheOptions {
	/** How long a tag's meaning is believed. */
	readonly tagTtlMs: number;
	/** What nobody pulled for so long is dropped; 0 keeps everything. */
	readonly keepMs: number;
}

type Deps = Pick<Registry, "storage" | "blobs" | "uploads" | "manifests" | "metrics" | "logger" | "clock">;

/**
 * Content by digest never changes, so it is fetched once. What a tag means is asked again after a while; when the other registry
 * does not answer then, the last known meaning is served.
 */
export class CachingPullThrough implements PullThrough, AsyncDisposable {
	readonly #downloads = new Map<string, Download>();
	readonly #locks = new KeyedMutex();
	readonly #abort = new AbortController();

	constructor(
		private readonly upstream: Upstream,
		private readonly deps: Deps,
		private readonly options: CacheOptions,
	) {}

	async get(name: string, reference: string): Promise<StoredManifest> {
		const found = await this.#locks.run(`${name} ${reference}`, () =>
			isDigest(reference) ? this.#byDigest(name, reference) : this.#byTag(name, reference),
		);
		await this.#noteUse(name, found.digest);
		return found;
	}

	async blob(name: string, digest: Digest): Promise<ArrivingBlob> {
		const here = await this.#orUndefined(() => this.deps.blobs.stat(name, digest));
		this.#count("blob", here === undefined ? "miss" : "hit");
		if (here !== undefined) return here;
		const key = `${name} ${digest}`;
		// One transfer, however many ask at once.
		return await this.#locks.run(key, async () => {
			const arrived = await this.#orUndefined(() => this.deps.blobs.stat(name, digest));
			if (arrived !== undefined) return arrived;
			const running = this.#downloads.get(key);
			if (running !== undefined) return running.blob;
			return await this.#fetchBlob(key, name, digest);
		});
	}

	async tags(name: string): Promise<string[]> {
		try {
			return await this.upstream.tags(name, this.#abort.signal);
		} catch (error) {
			if (errorKind(error) === "not-found") return [];
			this.#noteFailure(name, error);
			return await this.deps.manifests.tags(name);
		}
	}

	/** Drops manifests that nobody pulled for long; their blobs go with the next collection. */
	async expire(): Promise<void> {
		const { keepMs } = this.options;
		if (keepMs <= 0) return;
		const { manifests, storage, clock } = this.deps;
		const cutoffMs = clock.now() - keepMs;
		for await (const name of walkRepositories(storage, { withManifests: true }))
			for await (const digest of manifests.revisions(name)) {
				const usedMs = await manifests.modifiedMs(name, digest);
				if (usedMs !== undefined && usedMs < cutoffMs) await this.#orUndefined(() => manifests.delete(name, digest));
			}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#abort.abort(new Error("the registry is ending"));
		await Promise.all(Array.from(this.#downloads.values(), (download) => download.ended));
	}

	async #byDigest(name: string, digest: Digest): Promise<StoredManifest> {
		const here = await this.#orUndefined(() => this.deps.manifests.get(name, digest));
		this.#count("manifest", here === undefined ? "miss" : "hit");
		return here ?? (await this.#fetchManifest(name, digest));
	}

	async #byTag(name: string, tag: string): Promise<StoredManifest> {
		const { manifests, clock } = this.deps;
		const here = await this.#orUndefined(() => manifests.get(name, tag));
		const checkedMs = here === undefined ? undefined : await manifests.modifiedMs(name, tag);
		if (here !== undefined && checkedMs !== undefined && checkedMs + this.options.tagTtlMs > clock.now()) {
			this.#count("manifest", "hit");
			return here;
		}
		try {
			const digest = here === undefined ? undefined : await this.upstream.digestOf(name, tag, this.#abort.signal);
			this.#count("manifest", here !== undefined && digest === here.digest ? "revalidated" : "miss");
			if (here === undefined || digest !== here.digest) return await this.#fetchManifest(name, tag);
			await manifests.renew(name, tag);
			return here;
		} catch (error) {
			if (here === undefined) throw this.#translate(error, () => registryError("MANIFEST_UNKNOWN", { name, tag }));
			if (error instanceof RegistryError || errorKind(error) === "not-found") {
				await this.#orUndefined(() => manifests.deleteTag(name, tag));
				throw registryError("MANIFEST_UNKNOWN", { name, tag });
			}
			this.#noteFailure(name, error);
			this.#count("manifest", "stale");
			return here;
		}
	}

	async #fetchManifest(name: string, reference: string): Promise<StoredManifest> {
		const unknown = () => registryError("MANIFEST_UNKNOWN", { name, reference });
		try {
			const { bytes, mediaType } = await this.upstream.manifest(name, reference, this.#abort.signal);
			const { digest, parsed } = await this.deps.manifests.put(
				name,
				reference,
				{ bytes, contentType: mediaType, tags: isDigest(reference) ? [] : [reference] },
				"sparse",
			);
			return { digest, mediaType: parsed.mediaType, bytes };
		} catch (error) {
			throw this.#translate(error, unknown);
		}
	}

	async #fetchBlob(key: string, name: string, digest: Digest): Promise<ArrivingBlob> {
		const unknown = () => registryError("BLOB_UNKNOWN", { digest });
		try {
			const sizeBytes = await this.upstream.blobSize(name, digest, this.#abort.signal);
			// Here for another repository, and the other registry shows it in this one.
			const linked = await this.deps.blobs.linkExisting(name, digest);
			if (linked !== undefined) return linked;
			const download = await Download.start(this.deps, this.upstream, { name, digest, sizeBytes }, this.#abort.signal);
			this.#downloads.set(key, download);
			void download.ended.then((error) => {
				this.#downloads.delete(key);
				if (error !== undefined && !this.#abort.signal.aborted) this.#noteFailure(name, error);
			});
			return download.blob;
		} catch (error) {
			throw this.#translate(error, unknown);
		}
	}

	/** Renews the time by which it expires, not on every pull. */
	async #noteUse(name: string, digest: Digest): Promise<void> {
		const { manifests, clock } = this.deps;
		const usedMs = await manifests.modifiedMs(name, digest);
		if (usedMs !== undefined && usedMs + this.options.keepMs / 10 < clock.now())
			await this.#orUndefined(() => manifests.renew(name, digest));
	}

	async #orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
		try {
			return await work();
		} catch (error) {
			if (error instanceof NotFoundError) return undefined;
			if (error instanceof RegistryError && ["MANIFEST_UNKNOWN", "BLOB_UNKNOWN"].includes(error.code)) return undefined;
			throw error;
		}
	}

	#translate(error: unknown, unknown: () => RegistryError): unknown {
		if (error instanceof RegistryError) return error;
		return errorKind(error) === "not-found" ? unknown() : error;
	}

	#noteFailure(repository: string, error: unknown): void {
		this.deps.logger.warn("the other registry failed", { repository, error: errorMessage(error) });
	}

	#count(kind: string, result: string): void {
		this.deps.metrics.add("gantry_registry_proxy_requests_total", { kind, result });
	}
}
