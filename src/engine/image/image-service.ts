import type { Readable } from "node:stream";
import type { Filters } from "../../api/engine/filters.ts";
import type {
	ImageDeleteResponse,
	ImageHistoryEntry,
	ImageInspect,
	ImagePruneResponse,
	ImageSummary,
	ProgressMessage,
} from "../../api/engine/image.ts";
import type { ApiVersion } from "../../api/engine/version.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { errorMessage, NotFoundError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { Pool } from "../../base/pool.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { UseStore } from "../../core/gc/use-store.ts";
import type { ContainerImageUse } from "../../core/image/container-image-use.ts";
import type { ImageRecord, ImageStore } from "../../core/image/image-record.ts";
import { suitsPlatform, wrongPlatform } from "../../core/image/platform.ts";
import { familiar, formatReference, referenceFromParts } from "../../core/image/reference.ts";
import type { Remotes } from "../../core/remotes/remote.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { LayerUsage } from "../../core/system/disk-usage.ts";
import { ImageCollection } from "./image-collection.ts";
import { type CommitOptions, ImageCommitter } from "./image-commit.ts";
import { ImageEvents } from "./image-events.ts";
import { ImageImporter, type ImportOptions } from "./image-import.ts";
import { ImageIndex } from "./image-index.ts";
import { ImageLoader, type LoadOptions } from "./image-load.ts";
import { ImagePins } from "./image-pins.ts";
import { ImagePuller, type PullRequest } from "./image-pull.ts";
import { ImagePusher, type PushRequest } from "./image-push.ts";
import { ImageRemover, type RemoveOptions } from "./image-removal.ts";
import { ImageSaver } from "./image-save.ts";
import { ImageUses } from "./image-uses.ts";
import { ImageViews, type ListOptions } from "./image-views.ts";
import { InterruptedPulls } from "./interrupted-pulls.ts";
import { LayerRegistry } from "./layer-registry.ts";
import { LayerPuller } from "./pull-layers.ts";
import { LayerPusher } from "./push-layers.ts";

export interface ImageServiceDependencies {
	readonly store: ImageStore;
	readonly content: ContentStore;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
	readonly events: EventPublisher;
	readonly containers: ContainerImageUse;
	readonly clock: Clock;
	readonly remotes: Remotes;
	readonly uses: UseStore;
	readonly logger: Logger;
}

export interface ImageServiceOptions {
	/** What this machine runs: the platform of imported images. */
	readonly platform: Platform;
	/** Written into the configurations of images made here. */
	readonly engineVersion: string;
	/** Layers on their way from registries at once, over all pulls. */
	readonly maxDownloads: number;
	/** The same for pushes. */
	readonly maxUploads: number;
}

export interface ImageWorkshop {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly saver: ImageSaver;
	readonly pusher: ImagePusher;
}

/** Every image operation of the Engine API. */
export class ImageService {
	readonly uses: ImageUses;
	readonly pins: ImagePins;
	/** What the disk budget removes. */
	readonly collection: ImageCollection;
	readonly interruptedPulls: InterruptedPulls;
	readonly #index: ImageIndex;
	readonly #layers: LayerRegistry;
	readonly #events: ImageEvents;
	readonly #views: ImageViews;
	readonly #importer: ImageImporter;
	readonly #loader: ImageLoader;
	readonly #saver: ImageSaver;
	readonly #remover: ImageRemover;
	readonly #committer: ImageCommitter;
	readonly #puller: ImagePuller;
	readonly #pusher: ImagePusher;
	readonly #content: ContentStore;
	readonly #usedImages: () => Digest[];
	readonly #downloads: Pool;
	readonly #uploads: Pool;
	readonly #deps: Pick<ImageServiceDependencies, "clock" | "logger">;
	#expiryTimer: Timer | undefined;

	constructor(deps: ImageServiceDependencies, options: ImageServiceOptions) {
		const { content, snapshotter, containers } = deps;
		const now = () => deps.clock.now();
		const uses = new ImageUses({ store: deps.uses, clock: deps.clock, logger: deps.logger });
		const index = new ImageIndex({ store: deps.store, content, uses, now });
		const pins = new ImagePins(deps.uses, index);
		const layers = new LayerRegistry(deps);
		const events = new ImageEvents(deps.events);
		this.#deps = deps;
		this.#downloads = new Pool(options.maxDownloads);
		this.#uploads = new Pool(options.maxUploads);
		this.#content = content;
		this.uses = uses;
		this.pins = pins;
		this.#index = index;
		this.#layers = layers;
		this.#events = events;
		this.#usedImages = () => containers.users().map(({ imageId }) => imageId);
		this.#views = new ImageViews({ index, layers, snapshotter, usedImages: this.#usedImages });
		this.#importer = new ImageImporter({ index, layers, events, now, ...options });
		this.#loader = new ImageLoader({
			index,
			layers,
			events,
			content,
			applier: deps.applier,
			platform: options.platform,
		});
		this.#saver = new ImageSaver({ index, layers, events, content });
		const remover = new ImageRemover({ index, layers, events, containers, pins, now });
		this.#remover = remover;
		this.interruptedPulls = new InterruptedPulls(layers, () => this.collectGarbage());
		this.collection = new ImageCollection({ index, layers, remover, containers, uses, pins, events });
		this.#puller = new ImagePuller({
			index,
			layers,
			events,
			content,
			remotes: deps.remotes,
			platform: options.platform,
			now,
			collectGarbage: () => this.collectGarbage(),
			layerPuller: new LayerPuller(layers, this.#downloads),
		});
		this.#pusher = new ImagePusher({
			index,
			layers,
			events,
			content,
			remotes: deps.remotes,
			layerPusher: new LayerPusher(layers, deps.remotes, this.#uploads),
		});
		this.#committer = new ImageCommitter({
			index,
			layers,
			events,
			containers,
			snapshotter,
			applier: deps.applier,
			now,
			...options,
		});
	}

	/** Layers at once, from now on. */
	reconfigure({ maxDownloads, maxUploads }: Pick<ImageServiceOptions, "maxDownloads" | "maxUploads">): void {
		this.#downloads.resize(maxDownloads);
		this.#uploads.resize(maxUploads);
	}

	/** What the builder makes its images with. */
	get workshop(): ImageWorkshop {
		return { index: this.#index, layers: this.#layers, events: this.#events, saver: this.#saver, pusher: this.#pusher };
	}

	/** By name, tag, digest, ID or its beginning. @throws NotFoundError `No such image: x`, InvalidParameterError */
	resolve(reference: string): ImageRecord {
		return this.#index.resolve(reference);
	}

	async list(options: ListOptions): Promise<ImageSummary[]> {
		return this.#views.list(options);
	}

	async inspect(
		name: string,
		options: { readonly version?: ApiVersion; readonly platform?: Platform | undefined } = {},
	): Promise<ImageInspect> {
		return this.#views.inspect(this.#resolveFor(name, options.platform), options.version);
	}

	async history(name: string, platform?: Platform): Promise<ImageHistoryEntry[]> {
		return this.#views.history(this.#resolveFor(name, platform));
	}

	/** Images are for one platform only. @throws NotFoundError */
	#resolveFor(name: string, platform: Platform | undefined): ImageRecord {
		const image = this.resolve(name);
		if (platform === undefined || suitsPlatform(platform, image.config)) return image;
		throw new NotFoundError(wrongPlatform(name, image.config, platform));
	}

	/** @throws NotFoundError, InvalidParameterError */
	async tag(name: string, repository: string, tag: string): Promise<void> {
		const image = this.resolve(name);
		const reference = formatReference(referenceFromParts(repository, tag));
		this.#index.tag(image.id, reference);
		this.#events.publish("tag", image.id, familiar(reference), image);
	}

	remove(name: string, options: RemoveOptions): Promise<ImageDeleteResponse[]> {
		return this.#remover.remove(name, options);
	}

	/** What unsuccessful pulls left goes, too. */
	async prune(filters: Filters): Promise<ImagePruneResponse> {
		const response = await this.#remover.prune(filters);
		const droppedBytes = await this.#layers.forget();
		const freed = await this.#layers.collect(() => this.#index.all().map((image) => image.chainId));
		const freedBytes = freed.reduce((sum, { sizeBytes }) => sum + sizeBytes, droppedBytes);
		return { ...response, SpaceReclaimed: response.SpaceReclaimed + freedBytes };
	}

	import(source: Readable, options: ImportOptions, signal: AbortSignal): AsyncIterable<ProgressMessage> {
		return this.#importer.import(source, options, signal);
	}

	/** @throws InvalidParameterError, NotFoundError, RemoteError in Docker's words */
	pull(request: PullRequest, signal: AbortSignal): AsyncIterable<ProgressMessage> {
		return this.#puller.pull(request, signal);
	}

	/** @throws InvalidParameterError; everything else comes after the first message */
	push(request: PushRequest, signal: AbortSignal): AsyncIterable<ProgressMessage> {
		return this.#pusher.push(request, signal);
	}

	load(archive: Readable, options: LoadOptions, signal: AbortSignal): AsyncIterable<ProgressMessage> {
		return this.#loader.load(archive, options, signal);
	}

	/** @throws NotFoundError before anything is written */
	async save(names: readonly string[], platform?: Platform): Promise<Readable> {
		return await this.#saver.save(names, platform);
	}

	commit(options: CommitOptions): Promise<{ Id: string }> {
		return this.#committer.commit(options);
	}

	/** Bytes of the images' layers, and of those that neither a container nor a container's image has. */
	layerUsage(): LayerUsage {
		const used = new Set(this.#usedImages());
		const images = this.#index.all();
		const chains = (list: readonly ImageRecord[]) => list.map(({ chainId }) => chainId);
		return this.#layers.usage(chains(images), chains(images.filter(({ id }) => used.has(id))));
	}

	/** Removes layers that no image, container or running operation needs any more; after a container was removed. */
	async collectGarbage(): Promise<void> {
		await this.#layers.collect(() => this.#index.all().map((image) => image.chainId));
		this.#scheduleExpiry();
	}

	/** What unsuccessful pulls left goes when its time is over. */
	#scheduleExpiry(): void {
		const { clock, logger } = this.#deps;
		const expiry = this.#layers.nextExpiry();
		if (expiry === undefined || this.#expiryTimer !== undefined) return;
		this.#expiryTimer = clock.after(Math.max(0, expiry - clock.now()), () => {
			this.#expiryTimer = undefined;
			this.collectGarbage().catch((error: unknown) => {
				logger.warn("layers of unfinished pulls could not be removed", { error: errorMessage(error) });
			});
		});
	}

	/**
	 * Removes what a crash left: unfinished blobs and layers, layers and blobs nobody needs, snapshots and mounts of containers
	 * that are not in `containers`. Once, at start, before anything else runs.
	 */
	async cleanUp(containers: ReadonlySet<string>): Promise<void> {
		await this.#content.cleanUp();
		const images = this.#index.all();
		await this.#layers.cleanUp(
			images.map((image) => image.chainId),
			containers,
		);
		this.#scheduleExpiry();
		const kept = new Set<string>([...this.#index.blobs(), ...this.#layers.assemblies()]);
		for await (const { digest } of this.#content.list()) if (!kept.has(digest)) await this.#content.delete(digest);
	}
}
