import type { Readable } from "node:stream";
import type { GitSource } from "../dockerfile/remote-source.ts";

export interface RemoteFile {
	/** From the server, else from the URL; never a path. */
	readonly name: string;
	/** Milliseconds since the epoch, when the server says. */
	readonly modifiedAt: number | undefined;
	readonly contentType: string;
	readonly body: Readable;
}

/** Files and repositories that are fetched from elsewhere. */
export interface RemoteFiles {
	/** The same by the proxies that build arguments name, in place of the daemon's. */
	through(variables: ReadonlyMap<string, string>): RemoteFiles;
	/** @throws NotFoundError, UnavailableError, InvalidParameterError for an address that is none */
	download(url: string, signal: AbortSignal): Promise<RemoteFile>;
	/**
	 * Checks a commit out into an empty directory.
	 * @param keepGitDir leave the repository's own directory there
	 * @returns the commit's ID
	 * @throws NotFoundError, UnavailableError, InvalidParameterError
	 */
	checkOut(
		source: GitSource,
		directory: string,
		options: { readonly keepGitDir: boolean },
		signal: AbortSignal,
	): Promise<string>;
	/** The commit that a reference names now, without fetching it. */
	commitOf(source: GitSource, signal: AbortSignal): Promise<string>;
}
