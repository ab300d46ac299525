/** When images were used last, and which are pinned; durable, but not urgent. */
export interface UseStore {
	/** Milliseconds since the epoch, by image ID. */
	uses(): ReadonlyMap<string, number>;
	/** One transaction; need not wait for the disk. */
	putUses(uses: ReadonlyMap<string, number>): void;
	deleteUse(imageId: string): void;
	/** Normalised references (`docker.io/library/nginx:latest`) and image IDs, in the order of pinning. */
	pins(): string[];
	/** Idempotent. */
	pin(name: string): void;
	/** @returns whether it was pinned */
	unpin(name: string): boolean;
}
