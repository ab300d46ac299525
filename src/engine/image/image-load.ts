import type { Readable } from "node:stream";
import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Platform } from "../../api/oci/image.ts";
import { type Digest, isDigest } from "../../base/digest.ts";
import { InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import {
	type ArchivedImage,
	checkTag,
	descriptorTags,
	imageOfManifest,
	parseDockerManifest,
	parseIndexOrManifest,
	suitable,
} from "../../core/image/archive-manifest.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { parseImageConfig } from "../../core/image/parse-image-config.ts";
import { formatPlatform, suitsPlatform } from "../../core/image/platform.ts";
import { familiar, formatReference } from "../../core/image/reference.ts";
import { abortable } from "./abortable.ts";
import { type ArchiveMember, ArchiveMembers } from "./archive-members.ts";
import type { ImageEvents } from "./image-events.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerLease } from "./layer-lease.ts";
import type { LayerRegistry } from "./layer-registry.ts";

const JSON_LIMIT_BYTES = 8 << 20;
/** Indexes may hold indexes; nobody nests them deeper. */
const INDEX_DEPTH_LIMIT = 4;

export interface LoadDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly content: ContentStore;
	readonly applier: LayerApplier;
	readonly platform: Platform;
}

export interface LoadOptions {
	readonly quiet: boolean;
	/** Only images for it; undefined for all, and of an image for several platforms the host's. */
	readonly platform?: Platform | undefined;
}

/** Where in nested indexes an index stands. */
interface IndexPlace {
	readonly tags: readonly string[];
	readonly depth: number;
	readonly platform: Platform;
}

/** Images from archives: docker's own, and OCI layouts, plain or compressed. */
export class ImageLoader {
	constructor(readonly deps: LoadDependencies) {}

	async *load(
		archive: Readable,
		{ quiet, platform }: LoadOptions,
		signal: AbortSignal,
	): AsyncGenerator<ProgressMessage> {
		using upload = abortable(archive, signal);
		await using members = await upload.run(() => ArchiveMembers.read(archive, this.deps.applier, this.deps.content));
		const images = await this.#images(members, platform);
		if (images.length === 0 && platform !== undefined)
			throw new NotFoundError(`the archive has no image for platform ${formatPlatform(platform)}`);
		for (const image of images) {
			signal.throwIfAborted();
			yield* this.#loadImage(image, members, quiet);
		}
	}

	async *#loadImage(image: ArchivedImage, members: ArchiveMembers, quiet: boolean): AsyncGenerator<ProgressMessage> {
		const tags = image.tags.map((tag) => formatReference(checkTag(tag)));
		const configBytes = await memberOf(members, image.config).read(JSON_LIMIT_BYTES);
		const diffIds = parseImageConfig(configBytes).rootfs.diff_ids;
		if (diffIds.length !== image.layers.length || !diffIds.every(isDigest))
			throw new InvalidParameterError(
				`invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${image.layers.length}`,
			);
		using lease = this.deps.layers.lease();
		let chain: Digest | undefined;
		for (const [position, diffId] of diffIds.entries()) {
			const member = memberOf(members, image.layers[position] ?? "");
			const id = shortId(diffId);
			const total = member.sizeBytes;
			if (!quiet) yield { status: "Loading layer", id, progressDetail: { current: 0, total } };
			chain = await this.#loadLayer(chain, diffId, member, lease);
			if (!quiet) yield { status: "Loading layer", id, progressDetail: { current: total, total } };
		}
		await this.deps.layers.flush();
		const sizeBytes = this.deps.layers.stackSizeBytes(chain);
		const record = await this.deps.index.create({ configBytes, sizeBytes, parent: this.#parent(image) });
		yield* this.#announce(record, tags);
	}

	async #loadLayer(
		parent: Digest | undefined,
		diffId: Digest,
		member: ArchiveMember,
		lease: LayerLease,
	): Promise<Digest> {
		const request = { parent, diffId, open: () => member.stream(), isDeferred: true };
		const layer = await this.deps.layers.unpack(request, lease);
		return layer.chainId;
	}

	*#announce(image: ImageRecord, tags: readonly string[]): Generator<ProgressMessage> {
		const { index, events } = this.deps;
		for (const tag of tags) {
			const previous = index.byReference(tag);
			if (previous !== undefined && previous.id !== image.id)
				yield {
					stream: `The image ${familiar(tag)} already exists, renaming the old one with ID ${previous.id} to empty string\n`,
				};
			index.tag(image.id, tag);
			events.publish("tag", image.id, familiar(tag), image);
			yield { stream: `Loaded image: ${familiar(tag)}\n` };
		}
		if (tags.length === 0) yield { stream: `Loaded image ID: ${image.id}\n` };
		events.publish("load", image.id, image.id, image);
	}

	#parent(image: ArchivedImage): Digest | undefined {
		return image.parent === undefined ? undefined : this.deps.index.byId(image.parent)?.id;
	}

	async #images(members: ArchiveMembers, platform: Platform | undefined): Promise<readonly ArchivedImage[]> {
		const images = await this.#allImages(members, platform ?? this.deps.platform);
		if (platform === undefined) return images;
		const suitable: ArchivedImage[] = [];
		for (const image of images) {
			const config = parseImageConfig(await memberOf(members, image.config).read(JSON_LIMIT_BYTES));
			if (suitsPlatform(platform, config)) suitable.push(image);
		}
		return suitable;
	}

	async #allImages(members: ArchiveMembers, platform: Platform): Promise<readonly ArchivedImage[]> {
		const manifest = members.get("manifest.json");
		if (manifest !== undefined) return parseDockerManifest(await manifest.read(JSON_LIMIT_BYTES));
		const index = members.get("index.json");
		if (index === undefined) throw new InvalidParameterError("invalid archive: does not contain a manifest.json");
		return this.#fromIndex(members, index, { tags: [], depth: 0, platform });
	}

	async #fromIndex(
		members: ArchiveMembers,
		member: ArchiveMember,
		{ tags, depth, platform }: IndexPlace,
	): Promise<ArchivedImage[]> {
		if (depth > INDEX_DEPTH_LIMIT) throw new InvalidParameterError("invalid archive: indexes nested too deeply");
		const parsed = parseIndexOrManifest(
			await member.read(JSON_LIMIT_BYTES),
			depth === 0 ? "index.json" : member.digest,
		);
		if ("layers" in parsed) return [imageOfManifest(parsed, tags)];
		const images: ArchivedImage[] = [];
		// At the top stand different images, below one image for several platforms.
		const descriptors = depth === 0 ? parsed.manifests : suitable(parsed, platform).slice(0, 1);
		for (const descriptor of descriptors) {
			const child = members.byDigest(descriptor.digest);
			if (child === undefined) throw missing(descriptor.digest);
			const names = depth === 0 ? descriptorTags(descriptor) : tags;
			images.push(...(await this.#fromIndex(members, child, { tags: names, depth: depth + 1, platform })));
		}
		return mergeTags(images);
	}
}

/** One image under several names stands there several times. */
function mergeTags(images: readonly ArchivedImage[]): ArchivedImage[] {
	const merged = new Map<string, ArchivedImage>();
	for (const image of images) {
		const known = merged.get(image.config);
		merged.set(
			image.config,
			known === undefined ? image : { ...known, tags: [...new Set([...known.tags, ...image.tags])] },
		);
	}
	return [...merged.values()];
}

function memberOf(members: ArchiveMembers, name: string): ArchiveMember {
	const member = isDigest(name) ? members.byDigest(name) : members.get(name);
	if (member === undefined) throw missing(name);
	return member;
}

function missing(name: string): InvalidParameterError {
	return new InvalidParameterError(`invalid archive: ${name} is missing`);
}
