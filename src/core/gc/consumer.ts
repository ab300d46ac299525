/** Who takes part in the one disk budget: images, the build cache, what interrupted pulls have left for the next one. */
export type GcKind = "image" | "build-cache" | "pull";

/** A piece of disk, counted once however many items hold it; layers go by their chain IDs. */
export interface GcPart {
	readonly id: string;
	readonly sizeBytes: number;
}

/** Something that can be removed as a whole. */
export interface GcItem {
	/** Unique in its consumer. */
	readonly id: string;
	/** For people: an image's first tag, a cache record's description. */
	readonly name: string;
	/** Milliseconds since the epoch; what was never used counts from its arrival. */
	readonly lastUsedAt: number;
	/** Goes before named things of any age: dangling images. */
	readonly isExpendable: boolean;
	/** A part is freed with the last item that holds it. */
	readonly parts: readonly GcPart[];
	/** Why it may not go, for people (`container web uses it`); undefined: it may. */
	readonly keptBecause: string | undefined;
	/** IDs of items of the same consumer that stand on it and have to go first. */
	readonly dependants: readonly string[];
}

/** One holder of disk space. The collector asks all of them at one moment, plans, and has each remove its own. */
export interface GcConsumer {
	readonly kind: GcKind;
	/** All it has, in one consistent picture, from memory. @param keep patterns of image names that stay */
	items(keep: readonly string[]): GcItem[];
	/** Parts that are needed though none of its items says so: by containers, by operations under way. */
	heldParts(): GcPart[];
	/**
	 * Removes one item, unless meanwhile somebody has used it (after `plannedAt`), needs it or pinned it.
	 * @param plannedAt milliseconds since the epoch
	 * @returns bytes that this freed; undefined when it stays
	 */
	remove(id: string, plannedAt: number, keep: readonly string[]): Promise<number | undefined>;
	/** All its removals of one collection are done; it publishes what Docker publishes after a prune. */
	collected(freedBytes: number): void;
}

/** The file system that holds the data root. */
export interface DiskSpace {
	/** @throws SystemError */
	measure(): DiskFacts;
}

export interface DiskFacts {
	readonly totalBytes: number;
	/** To anybody but root. */
	readonly availableBytes: number;
}
