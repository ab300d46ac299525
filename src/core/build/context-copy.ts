import type { Digest } from "../../base/digest.ts";
import type { ContextEntry } from "./context-listing.ts";
import type { ContextPlan } from "./context-plan.ts";

/** An entry of the kept copy; its stamp is the client's. */
export interface KeptEntry extends ContextEntry {
	/** Of a file's contents. */
	readonly digest: Digest | undefined;
}

export interface ContextChange {
	/** What the client has, and the copy will be. */
	readonly listed: readonly ContextEntry[];
	readonly plan: ContextPlan;
	/** Of the client's listing. */
	readonly listingDigest: string;
	/** Records as in `context-contents.ts`, one at least for each file that the plan wants. */
	readonly contents: AsyncIterable<Uint8Array>;
	/** Hears how many bytes of contents have come, now and then. */
	readonly onProgress?: (receivedBytes: number) => void;
}

/**
 * The daemon's copy of a client's build context, in a directory of its own, used by one build at a time. What a crash interrupts, or
 * the machine's restart, is found empty by the next build.
 */
export interface ContextCopy {
	/** Absolute path of the files. */
	readonly directory: string;
	/** Another one after each change: equal revisions, equal files. Undefined for a copy that is empty as yet. */
	readonly revision: string | undefined;
	/** Digest of the listing that the copy is exactly like; undefined when some stamp in it can't be relied upon. */
	readonly listingDigest: string | undefined;
	/** Of all its files. */
	readonly sizeBytes: number;
	/** What is there; parents before what is in them. Read from the disk at the first call. */
	entries(): readonly KeptEntry[];
	/**
	 * Makes the copy what the client has. When it fails, the files that have arrived stay for the next time. Files that something else has
	 * linked to, as layers do, stay as they are there.
	 * @throws InvalidParameterError for contents that are not what was asked for, SystemError (a full disk), what `contents` throws
	 */
	change(change: ContextChange): Promise<void>;
}

export interface ContextCopies {
	/** @param directory exists, and is nobody else's */
	open(directory: string): ContextCopy;
}
