import type { Digest } from "../../base/digest.ts";
import type { ByteRange } from "../../core/registry/storage.ts";
import type { BlobStat } from "../blobs.ts";
import type { StoredManifest } from "../manifests.ts";

/** A blob that may still be on its way from the other registry; `open` is missing when it is here. */
export interface ArrivingBlob extends BlobStat {
	open?(range: ByteRange): Promise<Blob | ReadableStream<Uint8Array>>;
}

/** Answers from what is here, and fetches the rest from another registry. */
export interface PullThrough {
	get(name: string, reference: string): Promise<StoredManifest>;
	blob(name: string, digest: Digest): Promise<ArrivingBlob>;
	tags(name: string): Promise<string[]>;
}
