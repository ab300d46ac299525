import type { ImageConfig } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";

/** One image: its configuration blob's digest is its ID, as with Docker. */
export interface ImageRecord {
	readonly id: Digest;
	/** Parsed configuration; the exact bytes are the content store's blob `id`. */
	readonly config: ImageConfig;
	/** Chain ID of the topmost layer; undefined for an image without layers. */
	readonly chainId: Digest | undefined;
	/** Image this one was committed or built from, when it is one here. */
	readonly parent: Digest | undefined;
	/** Sum of the unpacked layers' sizes. */
	readonly sizeBytes: number;
	/** Milliseconds since the epoch. */
	readonly lastTaggedAt: number;
	/** Manifests this image came with (pull, OCI load), by repository: `name@digest`. */
	readonly repoDigests: readonly string[];
	/** Normalised references with tags, e.g. `docker.io/library/busybox:latest`. */
	readonly tags: readonly string[];
	/** The manifests it was pulled or pushed with, newest first; their bytes are blobs of the content store. */
	readonly manifests?: readonly ImageManifest[] | undefined;
}

/** A manifest exactly as a registry has it. */
export interface ImageManifest {
	readonly digest: Digest;
	readonly mediaType: string;
	/** The index it was chosen from. */
	readonly index?: { readonly digest: Digest; readonly mediaType: string } | undefined;
}

/** How one layer can be written again byte for byte. */
export interface LayerRecord {
	readonly chainId: Digest;
	readonly diffId: Digest;
	readonly parent: Digest | undefined;
	/** Size of the uncompressed tar. */
	readonly tarSizeBytes: number;
	/** As `TarChecksum` has it; undefined in records of earlier versions. */
	readonly tarChecksum?: Digest | undefined;
	/** Content-store blob of the re-assembly record; undefined when the layer is written by the deterministic writer. */
	readonly assembly: Digest | undefined;
	/** Of the deterministic writer's layers: whether it told directories of which only the time was changed. Older ones lack them. */
	readonly directoryTimes?: true | undefined;
	/** Milliseconds since the epoch until which it stays though nothing needs it: the pull it was made for has not ended well yet. */
	readonly keepUntil?: number | undefined;
	/** Forms of it that registries have, newest first. */
	readonly blobs?: readonly LayerBlob[] | undefined;
}

/** A layer as a registry keeps it, mostly compressed. The bytes themselves are not kept here. */
export interface LayerBlob {
	readonly digest: Digest;
	readonly sizeBytes: number;
	readonly mediaType: string;
	/** Of foreign layers. */
	readonly urls?: readonly string[] | undefined;
	/** Where it was seen: normalised names, newest first. */
	readonly repositories: readonly string[];
}

/** Durable records of images, tags and layers. Every method is one transaction. */
export interface ImageStore {
	images(): ImageRecord[];
	layers(): LayerRecord[];
	putImage(record: ImageRecord): void;
	/** Replaces a record in which only `lastTaggedAt` is new: the death of the machine may undo it, and nothing else is lost then. */
	touchImage(record: ImageRecord): void;
	deleteImage(id: Digest): void;
	putLayer(record: LayerRecord): void;
	putLayers(records: readonly LayerRecord[]): void;
	deleteLayer(chainId: Digest): void;
}
