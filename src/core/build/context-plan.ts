import type { ContextEntry, FileStamp } from "./context-listing.ts";

/** What has to be done to the kept copy of a context so that it is what the client has now. */
export interface ContextPlan {
	/** Paths to be removed, what is in a directory before it. */
	readonly removed: readonly string[];
	/** Directories, links and nodes to be made, in order. */
	readonly made: readonly ContextEntry[];
	/** Files whose contents have to be asked for, by their position in the listing. */
	readonly wanted: readonly number[];
	/** Directories that stay, with other permissions or times. */
	readonly touched: readonly ContextEntry[];
	/** Directories in which something is made, written or removed, and whose times have to be set again afterwards. */
	readonly disturbed: readonly ContextEntry[];
	/** Of the files that are wanted. */
	readonly wantedBytes: number;
}

/** Whether the contents can't have changed from one to the other: any change of a file gives it another time of change. */
export function isSameStamp(a: FileStamp, b: FileStamp): boolean {
	return (
		a.modifiedNs === b.modifiedNs && a.changedNs === b.changedNs && a.sizeBytes === b.sizeBytes && a.inode === b.inode
	);
}

/**
 * Compares the entries of the kept copy with those of the client. Files with the same stamp and permissions are left alone.
 * @param kept entries whose stamps can be relied upon; parents before what is in them, as in `listed`
 */
export function planContext(kept: readonly ContextEntry[], listed: readonly ContextEntry[]): ContextPlan {
	const before = new Map(kept.map((entry) => [entry.path, entry]));
	const made: ContextEntry[] = [];
	const wanted: number[] = [];
	const touched: ContextEntry[] = [];
	const disturbedPaths = new Set<string>();
	const replaced = new Set<string>();
	let wantedBytes = 0;
	listed.forEach((entry, index) => {
		const earlier = before.get(entry.path);
		const isKept = earlier !== undefined && earlier.kind === entry.kind;
		if (entry.kind === "directory") {
			if (!isKept) made.push(entry);
			else if (earlier.permissions !== entry.permissions || earlier.modifiedNs !== entry.modifiedNs)
				touched.push(entry);
			if (!isKept) disturbedPaths.add(entry.path);
		} else if (entry.kind === "file") {
			if (isKept && isSameStamp(earlier, entry) && earlier.permissions === entry.permissions) return;
			wanted.push(index);
			wantedBytes += entry.sizeBytes;
		} else {
			if (isKept && isSameNode(earlier, entry)) return;
			made.push(entry);
			if (earlier !== undefined) replaced.add(entry.path);
		}
		if (earlier !== undefined && !isKept) replaced.add(entry.path);
		if (!isKept || entry.kind !== "directory") disturbedPaths.add(parentOf(entry.path));
	});
	const now = new Set(listed.map(({ path }) => path));
	const removed: string[] = [];
	for (const { path } of kept) {
		if (now.has(path) && !replaced.has(path)) continue;
		removed.push(path);
		disturbedPaths.add(parentOf(path));
	}
	removed.reverse();
	const disturbed = listed.filter(({ kind, path }) => kind === "directory" && disturbedPaths.has(path));
	return { removed, made, wanted, touched, disturbed, wantedBytes };
}

/** Symlinks and nodes are compared by what they are; making one anew costs nothing. */
function isSameNode(a: ContextEntry, b: ContextEntry): boolean {
	return (
		a.target === b.target && a.device === b.device && a.permissions === b.permissions && a.modifiedNs === b.modifiedNs
	);
}

function parentOf(path: string): string {
	return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
