import type { Readable } from "node:stream";
import type { Digest } from "../../base/digest.ts";

export interface BlobInfo {
	readonly digest: Digest;
	readonly sizeBytes: number;
}

/** A blob being written. Not visible before `commit`. */
export interface ContentWriter {
	/** Bytes written so far. */
	readonly offset: number;
	write(chunk: Uint8Array): Promise<void>;
	/**
	 * Flushes, verifies and publishes under the digest of what was written.
	 * @param options.isDeferred the blob shows at once, but is on the disk only after `ContentStore.flush`
	 * @throws InvalidParameterError when `expected` is given and differs; nothing stays behind.
	 */
	commit(expected?: Digest, options?: { readonly isDeferred?: boolean }): Promise<BlobInfo>;
	abort(): Promise<void>;
}

/** Bytes put aside for one operation: on disk, not durable, gone after `dispose` or the next start. */
export interface Spool {
	write(chunk: Uint8Array): Promise<void>;
	/** No more bytes come. */
	finish(): Promise<BlobInfo>;
	/** From the beginning, as often as needed, after `finish`. */
	stream(): Readable;
	/** @throws SystemError when larger than `limitBytes` */
	read(limitBytes: number): Promise<Uint8Array>;
	/** Idempotent. */
	dispose(): Promise<void>;
}

/** Immutable blobs by digest (image configurations, manifests, re-assembly records of layers, compressed layers kept). */
export interface ContentStore {
	has(digest: Digest): Promise<boolean>;
	info(digest: Digest): Promise<BlobInfo>;
	/** Small blobs whole. @throws NotFoundError, SystemError when larger than `limitBytes` (default 8 MiB) */
	read(digest: Digest, limitBytes?: number): Promise<Uint8Array>;
	stream(digest: Digest): Readable;
	/** Stores a small blob in one go. */
	put(bytes: Uint8Array): Promise<BlobInfo>;
	writer(): Promise<ContentWriter>;
	spool(): Promise<Spool>;
	/** Resolves when these are on the disk; what is not there any more is passed over. */
	flush(digests: readonly Digest[]): Promise<void>;
	/** Idempotent. */
	delete(digest: Digest): Promise<void>;
	list(): AsyncIterable<BlobInfo>;
	/** Removes unfinished writes of a dead daemon. */
	cleanUp(): Promise<void>;
}
