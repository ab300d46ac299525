import type { ProgressMessage } from "../../api/engine/image.ts";
import type { ImageConfig, Platform } from "../../api/oci/image.ts";
import { errorKind, invariant, NotFoundError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { BuildFiles } from "../../core/build/build-directories.ts";
import { INLINE_CACHE_FIELD } from "../../core/build/inline-cache.ts";
import type { BaseImage } from "../../core/build/plan/build-plan.ts";
import type { ImageLookup, ImageNeed } from "../../core/build/plan/needed-stages.ts";
import { layoutName } from "../../core/build/plan/stage-graph.ts";
import type { NamedContext } from "../../core/build/request.ts";
import { parseIndexOrManifest, suitable } from "../../core/image/archive-manifest.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { formatPlatform, suitsPlatform } from "../../core/image/platform.ts";
import { formatReference, parseAnyReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";
import { placeOf } from "../../core/remotes/endpoint.ts";
import type { RegistryCredentials } from "../../core/remotes/remote.ts";
import type { ImageService } from "../image/image-service.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import { LayoutImages } from "./layout-images.ts";

/** Of an ID; docker shows twelve digits at least. */
const SHORT_ID = /^(sha256:)?[0-9a-f]{1,11}$/;

export interface ImageSourceOptions {
	/** Look for a newer one even when there is one here. */
	readonly pull: boolean;
	readonly credentials: (host: string) => Promise<RegistryCredentials | undefined>;
	/** The machine's own; pulling for another one says so to the registry. */
	readonly platform: Platform;
	/** Named contexts; those that are OCI layouts are images, too. */
	readonly layouts: ReadonlyMap<string, NamedContext>;
	readonly files: BuildFiles;
}

/** Images that one build starts from and copies from: looked up once, pulled when they are not here, held until the build is over. */
export class BaseImages {
	readonly #found = new Map<string, BaseImage>();
	readonly #resolving = new Map<string, Promise<void>>();
	/** The store has one platform for a name: each is taken before the next one is pulled. */
	readonly #mutex = new KeyedMutex();
	readonly #images: ImageService;
	readonly #lease: LayerLease;
	readonly #options: ImageSourceOptions;

	constructor(images: ImageService, lease: LayerLease, options: ImageSourceOptions) {
		this.#images = images;
		this.#lease = lease;
		this.#options = options;
	}

	readonly lookup: ImageLookup = (need) => this.#found.get(keyOf(need));

	/** Looks it up by `resolve`, which is called once, however many plans of the build miss the image. */
	once(need: ImageNeed, resolve: () => Promise<void>): Promise<void> {
		const key = keyOf(need);
		const running = this.#resolving.get(key) ?? resolve();
		this.#resolving.set(key, running);
		return running;
	}

	/**
	 * @param onProgress hears of a pull
	 * @throws NotFoundError, RemoteError in Docker's words
	 */
	resolve(need: ImageNeed, onProgress: (message: ProgressMessage) => void, signal: AbortSignal): Promise<void> {
		return this.#mutex.run(need.reference, () => this.#resolve(need, onProgress, signal));
	}

	async #resolve(need: ImageNeed, onProgress: (message: ProgressMessage) => void, signal: AbortSignal): Promise<void> {
		const name = layoutName(need.reference);
		if (name !== undefined) return await this.#fromLayout(need, name, signal);
		const local = this.#options.pull ? undefined : this.#local(need);
		if (local === undefined) await this.#pull(need, onProgress, signal);
		const image = local ?? this.#local(need);
		if (image === undefined)
			throw new NotFoundError(
				`no match for platform in manifest: ${need.reference} is not available for ${formatPlatform(need.platform)}`,
			);
		if (image.chainId !== undefined) this.#lease.hold(image.chainId);
		this.#images.uses.touch(image.id);
		this.#found.set(keyOf(need), {
			reference: need.reference,
			id: image.id,
			config: image.config,
			chainId: image.chainId,
			repoDigest: image.repoDigests[0],
		});
	}

	/** Its layers are this build's alone, until the cache has them. */
	async #fromLayout(need: ImageNeed, name: string, signal: AbortSignal): Promise<void> {
		const { layouts, files } = this.#options;
		const layout = layouts.get(name) ?? layouts.get(name.toLowerCase());
		if (layout?.kind !== "layout") throw new NotFoundError(`there is no build context "${name}"`);
		const { layers } = this.#images.workshop;
		const images = new LayoutImages({ layers, files }, layout.context, need.platform);
		const { id, config, chainId } = await images.image(layout.image, this.#lease, signal);
		this.#found.set(keyOf(need), { reference: need.reference, id, config, chainId, repoDigest: undefined });
	}

	/**
	 * An image that is wanted for a moment. What had to be pulled leaves the store when it is given back; its layers stay with this build.
	 * @throws NotFoundError, RemoteError in Docker's words
	 */
	async borrow(need: ImageNeed, signal: AbortSignal): Promise<{ readonly config: ImageConfig } & AsyncDisposable> {
		const { index } = this.#images.workshop;
		const isOwn = this.#local(need) !== undefined;
		const known = new Set(index.all().map(({ id }) => id));
		await this.resolve(need, () => {}, signal);
		const image = this.lookup(need);
		invariant(image !== undefined, `image ${need.reference} was looked up`);
		return {
			config: image.config,
			[Symbol.asyncDispose]: async () => {
				if (isOwn) return;
				const name = known.has(image.id) ? need.reference : image.id;
				await this.#images.remove(name, { force: true, noPrune: false }).catch((error: unknown) => {
					// Somebody else has removed it, or uses it by now.
					if (!["not-found", "conflict"].includes(errorKind(error))) throw error;
				});
			},
		};
	}

	/**
	 * Configurations of the other images for the platform in the index that a cache's image came from, borrowed like it.
	 * @throws RemoteError
	 */
	async siblings(need: ImageNeed, signal: AbortSignal): Promise<ImageConfig[]> {
		const { index } = this.#images.workshop;
		const image = this.#local(need);
		if (image === undefined || !(INLINE_CACHE_FIELD in image.config)) return [];
		const found: ImageConfig[] = [];
		for (const { digest, index: whole } of image.manifests ?? []) {
			const bytes = whole === undefined ? undefined : await index.document(whole.digest);
			const parsed = bytes === undefined ? undefined : parseIndexOrManifest(bytes, "index");
			if (parsed === undefined || !("manifests" in parsed)) continue;
			for (const other of suitable(parsed, need.platform).filter((each) => each.digest !== digest)) {
				const { name } = parseReference(need.reference);
				await using borrowed = await this.borrow({ ...need, reference: `${name}@${other.digest}` }, signal);
				found.push(borrowed.config);
			}
		}
		return found;
	}

	#local({ reference, platform }: ImageNeed): ImageRecord | undefined {
		try {
			const image = this.#images.resolve(reference);
			if (isGuess(reference, image)) return undefined;
			return suitsPlatform(platform, image.config) ? image : undefined;
		} catch (error) {
			if (error instanceof NotFoundError) return undefined;
			throw error;
		}
	}

	async #pull(
		{ reference, platform }: ImageNeed,
		onProgress: (message: ProgressMessage) => void,
		signal: AbortSignal,
	): Promise<void> {
		const parsed = parseAnyReference(reference);
		// An ID can be had from nowhere else.
		if (parsed.kind === "digest") throw new NotFoundError(`No such image: ${reference}`);
		const isOwn = suitsPlatform(platform, this.#options.platform);
		const { name, tag, digest } = parsed.named;
		const messages = this.#images.pull(
			{
				image: name,
				tag: digest ?? tag ?? "latest",
				platform: isOwn ? "" : formatPlatform(platform),
				credentials: await this.#options.credentials(placeOf(name).domain),
			},
			signal,
		);
		for await (const message of messages) onProgress(message);
	}
}

function keyOf({ reference, platform }: ImageNeed): string {
	return `${formatPlatform(platform)} ${reference}`;
}

/** Found by the beginning of its ID, which is so short that a name was meant. */
function isGuess(reference: string, { tags }: ImageRecord): boolean {
	if (!SHORT_ID.test(reference)) return false;
	return !tags.includes(formatReference(withDefaultTag(parseReference(reference))));
}
