/** Registries as the engine sees them (OCI distribution specification 1.1, Docker's schema 2). */
import type { Readable } from "node:stream";
import type { Digest } from "../../base/digest.ts";

/** How one user proves who he is to one registry. Never logged, never part of an error. */
export interface RegistryCredentials {
	readonly username?: string;
	readonly password?: string;
	/** A refresh token that stands for name and password. */
	readonly identityToken?: string;
	/** A bearer token, used as it is. */
	readonly registryToken?: string;
}

export interface RemoteManifest {
	/** What the registry says it is, or what the manifest says itself. */
	readonly mediaType: string;
	/** Of `bytes`; checked. */
	readonly digest: Digest;
	readonly bytes: Uint8Array;
}

export interface RemoteBlob {
	readonly digest: Digest;
	readonly sizeBytes: number;
	/** Where a foreign layer lies; asked after the registry itself. */
	readonly urls?: readonly string[] | undefined;
}

/** Reads one repository, from whichever of its mirrors answers. */
export interface Fetcher {
	/**
	 * A manifest or an index.
	 * @param reference a tag or a digest; the bytes of a digest are checked
	 * @throws RemoteError, InvalidParameterError for one that is too large or has another digest
	 */
	manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest>;
	/**
	 * The bytes of a blob. A broken transfer goes on where it stopped, so the stream fails only when the registry stays away.
	 * The reader checks digest and size; more than `sizeBytes` is never given.
	 * @throws RemoteError
	 */
	blob(blob: RemoteBlob, signal: AbortSignal): Promise<Readable>;
	/**
	 * What came of a blob the last time was wrong: who gave it is not asked for it again.
	 * @param why for the log
	 * @returns whether there is somebody else to ask
	 */
	distrust(digest: Digest, why: string): boolean;
	/** All tags, page by page. @throws RemoteError */
	tags(signal: AbortSignal): Promise<string[]>;
}

export interface BlobUpload {
	/** Known beforehand, or found out while it was sent. */
	digest(): Digest;
	/** From the beginning, at each attempt. */
	open(): AsyncIterable<Uint8Array>;
	/** When known. */
	readonly sizeBytes?: number | undefined;
	readonly onProgress?: ((sentBytes: number) => void) | undefined;
	readonly onRetry?: ((delaySeconds: number) => void) | undefined;
}

/** Writes one repository. */
export interface Pusher {
	hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean>;
	/** Asks for a blob of another repository of the same registry. @returns whether it is there now */
	mountBlob(digest: Digest, fromRepository: string, signal: AbortSignal): Promise<boolean>;
	/** @throws RemoteError */
	uploadBlob(upload: BlobUpload, signal: AbortSignal): Promise<void>;
	hasManifest(digest: Digest, signal: AbortSignal): Promise<boolean>;
	/** @param reference a tag or the manifest's digest */
	putManifest(reference: string, manifest: RemoteManifest, signal: AbortSignal): Promise<void>;
}

export interface SearchResult {
	readonly name: string;
	readonly description: string;
	readonly stars: number;
	readonly isOfficial: boolean;
}

/** The way to registries. `repository` is a normalised name, e.g. `docker.io/library/busybox`. */
export interface Remotes {
	fetcher(repository: string, credentials: RegistryCredentials | undefined): Promise<Fetcher>;
	pusher(repository: string, credentials: RegistryCredentials | undefined): Promise<Pusher>;
	/**
	 * Checks credentials. @param server as users write it: a host, perhaps with a scheme and a path
	 * @returns an identity token to keep instead of the password, when the registry gives one
	 */
	login(server: string, credentials: RegistryCredentials, signal: AbortSignal): Promise<string | undefined>;
	/** @throws RemoteError, InvalidParameterError */
	search(
		term: string,
		limit: number,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<SearchResult[]>;
}
