import { type Digest, sha256 } from "../../base/digest.ts";
import { NotFoundError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import { chainIds } from "../../core/image/chain-id.ts";
import type { ImageManifest, ImageRecord, ImageStore } from "../../core/image/image-record.ts";
import { findImage, type ImageTable } from "../../core/image/lookup.ts";
import { parseImageConfig } from "../../core/image/parse-image-config.ts";
import { splitReference } from "../../core/image/reference.ts";
import type { ImageUses } from "./image-uses.ts";

export interface ImageIndexDependencies {
	readonly store: ImageStore;
	readonly content: ContentStore;
	readonly uses: ImageUses;
	readonly now: () => number;
}

export interface NewImage {
	/** The configuration's exact bytes; their digest is the image's ID. */
	readonly configBytes: Uint8Array;
	readonly parent?: Digest | undefined;
	readonly sizeBytes: number;
	/** What it came with, from a registry. It has these names as soon as it shows, so that no removal comes in between. */
	readonly arrival?: ImageArrival;
}

export interface ImageArrival {
	readonly manifest: ImageManifest;
	/** `name@digest` */
	readonly repoDigest: string;
	/** Bytes of the manifest, and of its index. */
	readonly documents: readonly Uint8Array[];
	/** Normalised `name:tag`; undefined for a pull by digest. */
	readonly tag: string | undefined;
}

/**
 * All images in memory, each change stored before it shows. A tag belongs to one image; when a crash leaves it on two, the one tagged
 * later keeps it.
 */
export class ImageIndex implements ImageTable {
	readonly #deps: ImageIndexDependencies;
	readonly #byId = new Map<string, ImageRecord>();
	/** Tags and repository digests. */
	readonly #byReference = new Map<string, Digest>();
	/** A blob is put and named by a record, or found nameless and deleted: never both at once. */
	readonly #blobs = new KeyedMutex();

	constructor(deps: ImageIndexDependencies) {
		this.#deps = deps;
		const records = deps.store.images().sort((a, b) => a.lastTaggedAt - b.lastTaggedAt);
		for (const record of records) this.#remember(record);
		for (const record of records) {
			const tags = record.tags.filter((tag) => this.#byReference.get(tag) === record.id);
			if (tags.length < record.tags.length) this.#save({ ...record, tags });
		}
	}

	byId(id: string): ImageRecord | undefined {
		return this.#byId.get(id);
	}

	byReference(reference: string): ImageRecord | undefined {
		const id = this.#byReference.get(reference);
		return id === undefined ? undefined : this.#byId.get(id);
	}

	all(): ImageRecord[] {
		return [...this.#byId.values()];
	}

	/** By name, tag, digest, ID or its beginning. @throws NotFoundError `No such image: x`, InvalidParameterError */
	resolve(reference: string): ImageRecord {
		return findImage(this, reference);
	}

	children(id: Digest): ImageRecord[] {
		return this.all().filter((image) => image.parent === id);
	}

	/** Stores an image, or finds the one that is there already with the same configuration. */
	async create(image: NewImage): Promise<ImageRecord> {
		const id = sha256(image.configBytes);
		const config = parseImageConfig(image.configBytes);
		return await this.#blobs.run("blobs", async () => {
			const { arrival } = image;
			for (const bytes of [image.configBytes, ...(arrival?.documents ?? [])]) await this.#deps.content.put(bytes);
			this.#deps.uses.touch(id);
			const existing = this.#byId.get(id);
			const record: ImageRecord = existing ?? {
				id,
				config,
				chainId: chainIds(config.rootfs.diff_ids).at(-1),
				parent: image.parent,
				sizeBytes: image.sizeBytes,
				lastTaggedAt: 0,
				repoDigests: [],
				tags: [],
			};
			if (arrival !== undefined) this.#arrive(record, arrival);
			else if (existing === undefined) this.#save(record);
			return this.#get(id);
		});
	}

	/** With all its names at once; they are taken from images that had them. */
	#arrive(image: ImageRecord, { manifest, repoDigest, tag }: ImageArrival): void {
		const known = withManifest(image, manifest, repoDigest);
		const newTag = tag === undefined || this.byReference(tag)?.id === image.id ? undefined : tag;
		const names = newTag === undefined ? [repoDigest] : [repoDigest, newTag];
		const previous = new Set(names.map((name) => this.#byReference.get(name)));
		this.#save(newTag === undefined ? known : withTag(known, newTag, this.#deps.now()));
		for (const id of previous) if (id !== undefined && id !== image.id) this.#save(without(this.#get(id), names));
	}

	/** Moves the tag to the image. @param tag normalised `name:tag` */
	tag(id: Digest, tag: string): void {
		const previous = this.byReference(tag);
		const tagged = withTag(this.#get(id), tag, this.#deps.now());
		if (previous?.id === id) {
			this.#deps.store.touchImage(tagged);
			this.#remember(tagged);
			return;
		}
		this.#save(tagged);
		if (previous !== undefined) this.#save(without(previous, [tag]));
		this.#byReference.set(tag, id);
	}

	/**
	 * Remembers the manifest an image was pushed with.
	 * @param repoDigest `name@digest`; it moves when another image had it (another platform of the same index)
	 * @param documents bytes of the manifest
	 * @throws NotFoundError when the image was removed meanwhile
	 */
	async addManifest(
		id: Digest,
		manifest: ImageManifest,
		repoDigest: string,
		documents: readonly Uint8Array[],
	): Promise<void> {
		await this.#blobs.run("blobs", async () => {
			for (const bytes of documents) await this.#deps.content.put(bytes);
			this.#arrive(this.#get(id), { manifest, repoDigest, documents, tag: undefined });
		});
	}

	/** Bytes of a manifest or an index that an image came with; undefined when they are not here any more. */
	async document(digest: Digest): Promise<Uint8Array | undefined> {
		try {
			return await this.#deps.content.read(digest);
		} catch (error) {
			if (error instanceof NotFoundError) return undefined;
			throw error;
		}
	}

	/** Blobs that images need: configurations, manifests and indexes. */
	blobs(): Set<Digest> {
		return new Set(this.all().flatMap((image) => [image.id, ...manifestBlobs(image)]));
	}

	/** Takes a tag or a repository digest away. */
	untag(reference: string): void {
		const image = this.byReference(reference);
		if (image === undefined) return;
		this.#byReference.delete(reference);
		this.#save(without(image, [reference]));
	}

	setParent(id: Digest, parent: Digest): void {
		this.#save({ ...this.#get(id), parent });
	}

	/** Forgets the image and its references; its layers are the caller's. */
	async delete(id: Digest): Promise<void> {
		const image = this.#byId.get(id);
		if (image === undefined) return;
		this.#deps.store.deleteImage(id);
		this.#deps.uses.forget(id);
		this.#byId.delete(id);
		for (const reference of referencesOf(image))
			if (this.#byReference.get(reference) === id) this.#byReference.delete(reference);
		await this.#blobs.run("blobs", async () => {
			const needed = this.blobs();
			for (const digest of [id, ...manifestBlobs(image)])
				if (!needed.has(digest)) await this.#deps.content.delete(digest);
		});
	}

	#get(id: Digest): ImageRecord {
		const image = this.#byId.get(id);
		if (image === undefined) throw new NotFoundError(`No such image: ${id}`);
		return image;
	}

	#save(record: ImageRecord): void {
		this.#deps.store.putImage(record);
		this.#remember(record);
	}

	#remember(record: ImageRecord): void {
		this.#byId.set(record.id, record);
		for (const reference of referencesOf(record)) this.#byReference.set(reference, record.id);
	}
}

function withTag(image: ImageRecord, tag: string, now: number): ImageRecord {
	const tags = image.tags.includes(tag) ? image.tags : [...image.tags, tag];
	return { ...image, tags, lastTaggedAt: now };
}

/** The newest manifest first. */
function withManifest(image: ImageRecord, manifest: ImageManifest, repoDigest: string): ImageRecord {
	const others = (image.manifests ?? []).filter(({ digest }) => digest !== manifest.digest);
	const known = (image.manifests ?? []).find(({ digest }) => digest === manifest.digest);
	const manifests = [{ ...manifest, index: manifest.index ?? known?.index }, ...others];
	const repoDigests = image.repoDigests.includes(repoDigest) ? image.repoDigests : [...image.repoDigests, repoDigest];
	return { ...image, manifests, repoDigests };
}

function without(image: ImageRecord, references: readonly string[]): ImageRecord {
	const left = (list: readonly string[]) => list.filter((reference) => !references.includes(reference));
	return { ...image, tags: left(image.tags), repoDigests: left(image.repoDigests) };
}

function manifestBlobs({ manifests = [] }: ImageRecord): Digest[] {
	return manifests.flatMap(({ digest, index }) => (index === undefined ? [digest] : [digest, index.digest]));
}

/** Tags first, then digests. */
export function referencesOf(image: ImageRecord): string[] {
	return [...image.tags, ...image.repoDigests];
}

export function repositoryOf(reference: string): string {
	return splitReference(reference).name;
}
