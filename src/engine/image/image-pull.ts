import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Manifest, Platform } from "../../api/oci/image.ts";
import { type Digest, isDigest, sha256 } from "../../base/digest.ts";
import { CancelledError, errorKind, InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import { chainIds } from "../../core/image/chain-id.ts";
import type { ImageManifest, ImageRecord } from "../../core/image/image-record.ts";
import { parseImageConfig } from "../../core/image/parse-image-config.ts";
import { parsePlatform, suitsPlatform, wrongPlatform } from "../../core/image/platform.ts";
import {
	familiar,
	formatReference,
	type NamedReference,
	parseReference,
	referenceFromParts,
} from "../../core/image/reference.ts";
import { placeOf } from "../../core/remotes/endpoint.ts";
import { CONFIG_LIMIT_BYTES, checkIsImage, choosePlatform, parseManifest } from "../../core/remotes/manifest.ts";
import { pullError } from "../../core/remotes/pull-error.ts";
import type { Fetcher, RegistryCredentials, RemoteManifest, Remotes } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import type { ImageEvents } from "./image-events.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerLease } from "./layer-lease.ts";
import type { LayerRegistry } from "./layer-registry.ts";
import { ProgressQueue } from "./progress-queue.ts";
import { KEEP_MS, type LayerPuller, type WantedLayer } from "./pull-layers.ts";
import { readBlob } from "./verified-stream.ts";

/** Indexes in indexes; nobody nests them deeper. */
const INDEX_DEPTH_LIMIT = 4;
const RESERVED_NAME = "scratch";

export interface PullRequest {
	/** As the user wrote it, perhaps with a tag or a digest. */
	readonly image: string;
	/** A tag or a digest; empty for what `image` says, and all tags when that says nothing. */
	readonly tag: string;
	/** Empty: the daemon's own. */
	readonly platform: string;
	readonly credentials: RegistryCredentials | undefined;
}

export interface PullDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly content: ContentStore;
	readonly remotes: Remotes;
	readonly platform: Platform;
	readonly now: () => number;
	/** Removes what an unsuccessful pull leaves. */
	readonly collectGarbage: () => Promise<void>;
	readonly layerPuller: LayerPuller;
}

interface ChosenManifest {
	readonly manifest: Manifest;
	readonly record: ImageManifest;
	/** As it goes into the content store, with the index it was chosen from. */
	readonly documents: readonly Uint8Array[];
	/** What the tag stands for: the index, if there is one. */
	readonly top: Digest;
}

/** Images from registries. */
export class ImagePuller {
	constructor(readonly deps: PullDependencies) {}

	/** @throws InvalidParameterError, NotFoundError, RemoteError in Docker's words; the first ones before any message */
	pull(request: PullRequest, signal: AbortSignal): AsyncIterable<ProgressMessage> {
		const reference = pulledReference(request);
		const platform = request.platform === "" ? this.deps.platform : parsePlatform(request.platform);
		const progress = new ProgressQueue();
		const work = (cancelled: AbortSignal) => this.#pull(reference, platform, request, progress, cancelled);
		return progress.run(work, signal);
	}

	async #pull(
		reference: NamedReference,
		platform: Platform,
		request: PullRequest,
		progress: ProgressQueue,
		signal: AbortSignal,
	): Promise<void> {
		const fetcher = await this.deps.remotes.fetcher(reference.name, request.credentials);
		const isWhole = reference.tag === undefined && reference.digest === undefined;
		const context = { fetcher, platform, progress, signal };
		const references = isWhole ? await this.#allTags(reference, context) : [reference];
		let isAnyNew = false;
		for (const one of references) {
			const { image, isNew } = await this.#pullOne(one, context);
			isAnyNew ||= isNew;
			if (isWhole) continue;
			this.#sayStatus(one, isNew, progress);
			if (request.platform !== "" && !suitsPlatform(platform, image.config))
				progress.say({ status: `WARNING: ${wrongPlatform(nameOf(one), image.config, platform)}` });
		}
		if (isWhole) this.#sayStatus(reference, isAnyNew, progress);
	}

	async #allTags(reference: NamedReference, { fetcher, signal }: PullContext): Promise<NamedReference[]> {
		const tags = await translated(reference, () => fetcher.tags(signal));
		if (tags.length === 0) throw new NotFoundError(`repository ${familiar(reference.name)} not found: it has no tags`);
		return tags.map((tag) => parseReference(`${reference.name}:${tag}`));
	}

	#sayStatus(reference: NamedReference, isNew: boolean, progress: ProgressQueue): void {
		const what = isNew ? "Downloaded newer image" : "Image is up to date";
		progress.say({ status: `Status: ${what} for ${familiar(nameOf(reference))}` });
	}

	async #pullOne(
		reference: NamedReference,
		context: PullContext,
	): Promise<{ readonly image: ImageRecord; readonly isNew: boolean }> {
		const { progress } = context;
		const wanted = reference.digest ?? reference.tag ?? "";
		const top = await translated(reference, () => context.fetcher.manifest(wanted, context.signal));
		const id = reference.digest === undefined ? wanted : familiar(nameOf(reference));
		progress.say({ status: `Pulling from ${placeOf(reference.name).path}`, id });
		const chosen = await translated(reference, () => this.#choose(top, context));
		const before = this.deps.index.byReference(nameOf(reference))?.id;
		using lease = this.deps.layers.lease();
		const image = await this.#fetchImage(reference, chosen, lease, context);
		const isNew = before !== image.id;
		progress.say({ status: `Digest: ${chosen.top}` });
		this.deps.events.publish("pull", familiar(nameOf(reference)), familiar(reference.name), image);
		return { image, isNew };
	}

	/** Down from the index to the manifest for the platform. */
	async #choose(top: RemoteManifest, { fetcher, platform, signal }: PullContext): Promise<ChosenManifest> {
		let current = top;
		let index: RemoteManifest | undefined;
		for (let depth = 0; depth < INDEX_DEPTH_LIMIT; depth++) {
			const parsed = parseManifest(current.bytes, current.mediaType);
			if (parsed.kind === "image") {
				checkIsImage(parsed.manifest);
				return chosenManifest(parsed.manifest, current, top, index);
			}
			index ??= current;
			const descriptor = choosePlatform(parsed.index, platform);
			current = await fetcher.manifest(descriptor.digest, signal);
			if (current.bytes.length !== descriptor.size)
				throw new InvalidParameterError(`manifest ${descriptor.digest} has another size than its index says`);
		}
		throw new InvalidParameterError("invalid image index: indexes nested too deeply");
	}

	/** @param lease keeps the layers until the image has them */
	async #fetchImage(
		reference: NamedReference,
		chosen: ChosenManifest,
		lease: LayerLease,
		context: PullContext,
	): Promise<ImageRecord> {
		const { index, layers, layerPuller, collectGarbage } = this.deps;
		const configBytes = await this.#config(chosen.manifest, context);
		const diffIds = parseImageConfig(configBytes).rootfs.diff_ids;
		const { layers: descriptors } = chosen.manifest;
		if (diffIds.length !== descriptors.length)
			throw new InvalidParameterError(
				`invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${descriptors.length}`,
			);
		const wanted = descriptors.map((descriptor, position): WantedLayer => {
			return { descriptor, diffId: diffIds[position] ?? descriptor.digest };
		});
		try {
			const isKnown = index.byId(chosen.manifest.config.digest) !== undefined;
			const keepUntil = this.deps.now() + KEEP_MS;
			const pull = { ...context, repository: reference.name, isKnown, keepUntil };
			const chain = await layerPuller.pull(wanted, lease, pull);
			const arrival = {
				manifest: chosen.record,
				repoDigest: `${reference.name}@${chosen.top}`,
				documents: chosen.documents,
				tag: reference.digest === undefined ? formatReference(reference) : undefined,
			};
			const image = await index.create({ configBytes, sizeBytes: layers.stackSizeBytes(chain), arrival });
			layers.settle(chain);
			return image;
		} catch (error) {
			lease[Symbol.dispose]();
			if (isInterruption(error)) {
				// If that fails, they wait for the next pull as long as this process lives.
				await layers.flush().catch(() => {});
			} else {
				const unwanted = new Set<Digest>([...diffIds, ...chainIds(diffIds)]);
				await layers.forget(({ chainId, diffId }) => unwanted.has(chainId) || unwanted.has(diffId));
			}
			await collectGarbage();
			throw error;
		}
	}

	/** @returns undefined when no image has it, or the last one is just being removed */
	async #knownConfig(id: Digest): Promise<Uint8Array | undefined> {
		if (this.deps.index.byId(id) === undefined) return undefined;
		try {
			return await this.deps.content.read(id);
		} catch (error) {
			if (errorKind(error) === "not-found") return undefined;
			throw error;
		}
	}

	/** The one that is here already, or from the registry. */
	async #config({ config }: Manifest, { fetcher, signal }: PullContext): Promise<Uint8Array> {
		const known = await this.#knownConfig(config.digest);
		if (known !== undefined) return known;
		if (config.size > CONFIG_LIMIT_BYTES)
			throw new InvalidParameterError(`image configuration is larger than ${CONFIG_LIMIT_BYTES} bytes`);
		if (!config.digest.startsWith("sha256:"))
			throw new InvalidParameterError(`unsupported digest algorithm: ${config.digest}`);
		return readBlob(fetcher, { digest: config.digest, sizeBytes: config.size }, signal);
	}
}

interface PullContext {
	readonly fetcher: Fetcher;
	readonly platform: Platform;
	readonly progress: ProgressQueue;
	readonly signal: AbortSignal;
}

function chosenManifest(
	manifest: Manifest,
	current: RemoteManifest,
	top: RemoteManifest,
	index: RemoteManifest | undefined,
): ChosenManifest {
	const record = {
		digest: current.digest,
		mediaType: current.mediaType,
		...(index === undefined ? {} : { index: { digest: sha256(index.bytes), mediaType: index.mediaType } }),
	};
	const documents = index === undefined ? [current.bytes] : [current.bytes, index.bytes];
	return { manifest, record, documents, top: top.digest };
}

/** The same pull may well succeed later. Whoever sends wrong bytes, or refuses, leaves nothing here. */
function isInterruption(error: unknown): boolean {
	return error instanceof CancelledError || (error instanceof RemoteError && error.failure.isTransient);
}

async function translated<T>(reference: NamedReference, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw pullError(error, reference.name, nameOf(reference));
	}
}

/** A digest says more than the tag beside it. */
function nameOf(reference: NamedReference): string {
	return formatReference(reference.digest === undefined ? reference : { ...reference, tag: undefined });
}

/** A pull's tag may be a digest; `pull -a` sends a name that ends in a colon. */
function pulledReference({ image, tag }: PullRequest): NamedReference {
	const named = parseReference(image.replace(/:$/, ""));
	if (placeOf(named.name).path === `library/${RESERVED_NAME}` && placeOf(named.name).domain === "docker.io")
		throw new InvalidParameterError(`'${RESERVED_NAME}' is a reserved name`);
	if (tag === "") return named;
	if (named.digest !== undefined) throw new InvalidParameterError("invalid reference format");
	return isDigest(tag) ? parseReference(`${named.name}@${tag}`) : referenceFromParts(named.name, tag);
}
