import type { Digest } from "../../base/digest.ts";

export interface UpstreamManifest {
	readonly bytes: Uint8Array;
	/** As the other registry says; empty when it does not. */
	readonly mediaType: string;
}

export interface UpstreamBlob {
	/** From the offset asked for to the end. */
	readonly stream: ReadableStream<Uint8Array>;
}

/**
 * Another registry, as its clients see it. Every method @throws NotFoundError for what it does not have or does not show,
 * UnavailableError when it cannot be reached or does not work.
 */
export interface Upstream {
	/** What the tag means there now, undefined when it does not say without sending the manifest. */
	digestOf(name: string, tag: string, signal?: AbortSignal): Promise<Digest | undefined>;
	manifest(name: string, reference: string, signal?: AbortSignal): Promise<UpstreamManifest>;
	blobSize(name: string, digest: Digest, signal?: AbortSignal): Promise<number>;
	blob(name: string, digest: Digest, offset: number, signal?: AbortSignal): Promise<UpstreamBlob>;
	tags(name: string, signal?: AbortSignal): Promise<string[]>;
}
