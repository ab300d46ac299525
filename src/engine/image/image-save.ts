import { Readable } from "node:stream";
import { type Descriptor, type Index, type Manifest, MEDIA_TYPE, type Platform } from "../../api/oci/image.ts";
import { type Digest, digestHex, sha256 } from "../../base/digest.ts";
import { NotFoundError, SystemError } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import { TarVerifier } from "../../core/diff/tar-checksum.ts";
import { tarEntry } from "../../core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../core/diff/tar-writer.ts";
import type { ImageRecord, LayerRecord } from "../../core/image/image-record.ts";
import { parseImageConfig } from "../../core/image/parse-image-config.ts";
import { formatPlatform, suitsPlatform } from "../../core/image/platform.ts";
import {
	annotated,
	attestationManifest,
	needsIndex,
	PLAIN_FORM,
	type PublishedForm,
} from "../../core/image/published-form.ts";
import {
	type AnyReference,
	familiar,
	formatReference,
	parseAnyReference,
	splitReference,
} from "../../core/image/reference.ts";
import type { ImageEvents } from "./image-events.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerLease } from "./layer-lease.ts";
import type { LayerRegistry } from "./layer-registry.ts";

export interface SaveDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly content: ContentStore;
}

interface SavedImage {
	readonly image: ImageRecord;
	/** Normalised; those the user asked for. */
	readonly tags: string[];
	/** Lowest first. */
	readonly layers: readonly LayerRecord[];
	/** Of one that is not in the store. */
	readonly configBytes?: Uint8Array;
	/** Of one of several that make up an index. */
	readonly platform?: Platform;
}

/**
 * Writes images as an OCI layout that is a docker archive, too:
 *
 *   blobs/sha256/<hex>   layers (uncompressed), configurations, manifests
 *   index.json  oci-layout            OCI image layout
 *   manifest.json  repositories       docker's archive
 *
 * Everything is dated 1970, so that the same images give the same bytes.
 */
export class ImageSaver {
	constructor(readonly deps: SaveDependencies) {}

	/** @throws NotFoundError before anything is written */
	async save(names: readonly string[], platform?: Platform): Promise<Readable> {
		const saved = new Map<Digest, SavedImage>();
		for (const name of names) this.#choose(name, saved);
		const images = [...saved.values()];
		if (platform !== undefined && !images.every(({ image }) => suitsPlatform(platform, image.config)))
			throw new NotFoundError(`no suitable export target found for platform ${formatPlatform(platform)}`);
		return this.#stream(images);
	}

	/** Images that are not in the store: of a build whose result goes elsewhere. Several are one index. @param tags normalised */
	saveBuilt(
		built: readonly {
			readonly configBytes: Uint8Array;
			readonly chainId: Digest | undefined;
			readonly platform: Platform;
		}[],
		tags: readonly string[],
		form: PublishedForm,
	): Readable {
		const images = built.map(({ configBytes, chainId, platform }): SavedImage => {
			const config = parseImageConfig(configBytes);
			const image: ImageRecord = {
				id: sha256(configBytes),
				config,
				chainId,
				parent: undefined,
				sizeBytes: 0,
				lastTaggedAt: 0,
				repoDigests: [],
				tags: [],
			};
			const layers = this.deps.layers.stack(chainId).reverse();
			const own = built.length > 1 || needsIndex(form) ? { platform } : {};
			return { image, tags: [...tags], layers, configBytes, ...own };
		});
		return this.#stream(images, form);
	}

	#stream(images: readonly SavedImage[], form = PLAIN_FORM): Readable {
		const lease = this.deps.layers.lease();
		for (const { layers } of images) for (const layer of layers) lease.hold(layer.chainId);
		// Chunks are large: what waits together would be copied into one.
		const stream = Readable.from(this.#archive(images, lease, form), { objectMode: false, highWaterMark: 1 << 16 });
		// A generator that never started does not run its `finally`.
		stream.once("close", () => lease[Symbol.dispose]());
		return stream;
	}

	/** A name without a tag means all tags of the repository. */
	#choose(name: string, saved: Map<Digest, SavedImage>): void {
		const reference = parseAnyReference(name);
		if (reference.kind === "named" && reference.named.tag === undefined && reference.named.digest === undefined) {
			const tagged = this.deps.index
				.all()
				.flatMap((image) => image.tags.map((tag) => ({ image, tag })))
				.filter(({ tag }) => splitReference(tag).name === reference.named.name);
			for (const { image, tag } of tagged) this.#add(saved, image, tag);
			if (tagged.length > 0) return;
		}
		const image = this.#resolve(name, reference);
		const tag = reference.kind === "named" ? `${reference.named.name}:${reference.named.tag ?? "latest"}` : "";
		this.#add(saved, image, image.tags.includes(tag) ? tag : undefined);
	}

	/** Without the tag that was not asked for: all of the repository's would have done. */
	#resolve(name: string, reference: AnyReference): ImageRecord {
		try {
			return this.deps.index.resolve(name);
		} catch (error) {
			if (!(error instanceof NotFoundError) || reference.kind === "digest") throw error;
			throw new NotFoundError(`No such image: ${familiar(formatReference(reference.named))}`, { cause: error });
		}
	}

	#add(saved: Map<Digest, SavedImage>, image: ImageRecord, tag: string | undefined): void {
		const entry = saved.get(image.id) ?? { image, tags: [], layers: this.deps.layers.stack(image.chainId).reverse() };
		if (entry.layers.length !== image.config.rootfs.diff_ids.length)
			throw new SystemError(`image ${image.id} lacks layers`);
		saved.set(image.id, entry);
		if (tag !== undefined && !entry.tags.includes(tag)) entry.tags.push(tag);
	}

	async *#archive(images: readonly SavedImage[], lease: LayerLease, form: PublishedForm): AsyncGenerator<Uint8Array> {
		try {
			for (const name of ["blobs/", "blobs/sha256/"]) yield formatTarHeader(tarEntry({ name, type: "directory" }));
			const written = new Set<Digest>();
			const manifests = new Map<Digest, Uint8Array>();
			const attestations: Descriptor[] = [];
			for (const saved of images) {
				for (const layer of saved.layers) yield* this.#layer(layer, written);
				const config = saved.configBytes ?? (await this.deps.content.read(saved.image.id));
				yield* blob(config, written);
				const manifest = jsonBytes({ ...manifestOf(saved, config.length), ...annotated(form.annotations.manifest) });
				manifests.set(saved.image.id, manifest);
				yield* blob(manifest, written);
				if (form.attest === undefined || saved.platform === undefined) continue;
				const statements = form.attest(sha256(manifest), saved.platform);
				const attestation = attestationManifest(sha256(manifest), statements);
				attestations.push(attestation.descriptor);
				for (const { bytes } of statements) yield* blob(bytes, written);
				yield* blob(attestation.config, written);
				yield* blob(attestation.manifest, written);
			}
			const platforms = platformIndex(images, manifests, form, attestations);
			if (platforms !== undefined) yield* blob(jsonBytes(platforms), written);
			yield* file(
				"index.json",
				jsonBytes(platforms === undefined ? indexOf(images, manifests) : topIndex(images, platforms)),
			);
			if (platforms === undefined) yield* file("manifest.json", jsonBytes(images.map(dockerManifestItem)));
			yield* file("oci-layout", jsonBytes({ imageLayoutVersion: "1.0.0" }));
			const repositories = platforms === undefined ? repositoriesOf(images) : {};
			if (Object.keys(repositories).length > 0) yield* file("repositories", jsonBytes(repositories));
			yield TAR_END;
			for (const { image, configBytes } of images)
				if (configBytes === undefined) this.deps.events.publish("save", image.id, image.id, image);
		} finally {
			lease[Symbol.dispose]();
		}
	}

	/** @throws SystemError when the unpacked files do not give the layer any more */
	async *#layer(layer: LayerRecord, written: Set<Digest>): AsyncGenerator<Uint8Array> {
		if (written.has(layer.diffId)) return;
		written.add(layer.diffId);
		yield header(blobPath(layer.diffId), layer.tarSizeBytes);
		const verifier = new TarVerifier(layer);
		for await (const chunk of this.deps.layers.tar(layer)) {
			verifier.update(chunk);
			yield chunk;
		}
		if (!verifier.finish()) throw new SystemError(`layer ${layer.diffId} was changed on disk and cannot be saved`);
		yield tarPadding(layer.tarSizeBytes);
	}
}

function header(name: string, sizeBytes: number): Uint8Array {
	return formatTarHeader(tarEntry({ name, type: "file", sizeBytes }));
}

function* file(name: string, bytes: Uint8Array): Generator<Uint8Array> {
	yield Buffer.concat([header(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

function* blob(bytes: Uint8Array, written: Set<Digest>): Generator<Uint8Array> {
	const digest = sha256(bytes);
	if (!written.has(digest)) yield* file(blobPath(digest), bytes);
	written.add(digest);
}

function blobPath(digest: Digest): string {
	return `blobs/sha256/${digestHex(digest)}`;
}

function jsonBytes(value: unknown): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}

function manifestOf({ image, layers }: SavedImage, configSizeBytes: number): Manifest {
	return {
		schemaVersion: 2,
		mediaType: MEDIA_TYPE.ociManifest,
		config: { mediaType: MEDIA_TYPE.ociConfig, digest: image.id, size: configSizeBytes },
		layers: layers.map(layerDescriptor),
	};
}

function layerDescriptor(layer: LayerRecord): Descriptor {
	return { mediaType: MEDIA_TYPE.ociLayer, digest: layer.diffId, size: layer.tarSizeBytes };
}

/** Images of several platforms under one name. */
function platformIndex(
	images: readonly SavedImage[],
	manifests: ReadonlyMap<Digest, Uint8Array>,
	{ annotations }: PublishedForm,
	attestations: readonly Descriptor[],
): Index | undefined {
	if (!images.some(({ platform }) => platform !== undefined)) return undefined;
	const descriptors = images.map(({ image, platform }): Descriptor => {
		const bytes = manifests.get(image.id) ?? new Uint8Array();
		const own = platform === undefined ? {} : { platform };
		return {
			mediaType: MEDIA_TYPE.ociManifest,
			digest: sha256(bytes),
			size: bytes.length,
			...annotated(annotations.manifestDescriptor),
			...own,
		};
	});
	return {
		schemaVersion: 2,
		mediaType: MEDIA_TYPE.ociIndex,
		manifests: [...descriptors, ...attestations],
		...annotated(annotations.index),
	};
}

function topIndex(images: readonly SavedImage[], platforms: Index): Index {
	const bytes = jsonBytes(platforms);
	const plain: Descriptor = { mediaType: MEDIA_TYPE.ociIndex, digest: sha256(bytes), size: bytes.length };
	const tags = images[0]?.tags ?? [];
	const manifests = tags.length === 0 ? [plain] : tags.map((tag) => ({ ...plain, annotations: nameAnnotations(tag) }));
	return { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests };
}

/** One descriptor for each name. */
function indexOf(images: readonly SavedImage[], manifests: ReadonlyMap<Digest, Uint8Array>): Index {
	const descriptors = images.flatMap(({ image, tags }) => {
		const bytes = manifests.get(image.id) ?? new Uint8Array();
		const plain: Descriptor = { mediaType: MEDIA_TYPE.ociManifest, digest: sha256(bytes), size: bytes.length };
		return tags.length === 0 ? [plain] : tags.map((tag) => ({ ...plain, annotations: nameAnnotations(tag) }));
	});
	return { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: descriptors };
}

function nameAnnotations(tag: string): Record<string, string> {
	return {
		"io.containerd.image.name": tag,
		"org.opencontainers.image.ref.name": splitReference(tag).tag ?? "",
	};
}

function dockerManifestItem({ image, tags, layers }: SavedImage) {
	return {
		Config: blobPath(image.id),
		RepoTags: tags.length === 0 ? null : tags.map(familiar),
		Layers: layers.map(({ diffId }) => blobPath(diffId)),
		LayerSources: Object.fromEntries(layers.map((layer) => [layer.diffId, layerDescriptor(layer)])),
	};
}

function repositoriesOf(images: readonly SavedImage[]): Record<string, Record<string, string>> {
	const repositories: Record<string, Record<string, string>> = {};
	for (const { tags, layers } of images)
		for (const tag of tags) {
			const { name, tag: label = "" } = splitReference(tag);
			const top = layers.at(-1);
			if (top === undefined) continue;
			const short = familiar(name);
			repositories[short] = { ...repositories[short], [label]: digestHex(top.diffId) };
		}
	return repositories;
}
