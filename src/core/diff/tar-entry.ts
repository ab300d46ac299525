export type TarEntryType =
	| "file"
	| "hard-link"
	| "symlink"
	| "character-device"
	| "block-device"
	| "directory"
	| "fifo";

/** A run of data in a sparse file. */
export interface SparseRange {
	readonly offset: number;
	readonly length: number;
}

/** One member of a tar archive, whatever dialect wrote it. Names are texts as in `path-text.ts`. */
export interface TarEntry {
	readonly name: string;
	readonly type: TarEntryType;
	/** Target of a link, else empty. */
	readonly linkName: string;
	/** Permission bits with setuid, setgid and sticky: 0o7777. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly userName: string;
	readonly groupName: string;
	/** Size of the file once unpacked, holes included. 0 for all but files. */
	readonly sizeBytes: number;
	/** Nanoseconds since the epoch. */
	readonly modifiedNs: bigint;
	readonly deviceMajor: number;
	readonly deviceMinor: number;
	/** Extended attributes by full name (`security.capability`). */
	readonly attributes: ReadonlyMap<string, Uint8Array>;
	/** Where the archive's data go; all else is a hole. Absent for ordinary files. */
	readonly sparse?: readonly SparseRange[];
}

export const TAR_BLOCK_BYTES = 512;

const NO_ATTRIBUTES: ReadonlyMap<string, Uint8Array> = new Map();

/** An entry with everything that is not given left at root's, 1970's or nothing. */
export function tarEntry(fields: Partial<TarEntry> & Pick<TarEntry, "name" | "type">): TarEntry {
	return {
		linkName: "",
		mode: fields.type === "directory" ? 0o755 : fields.type === "symlink" ? 0o777 : 0o644,
		uid: 0,
		gid: 0,
		userName: "",
		groupName: "",
		sizeBytes: 0,
		modifiedNs: 0n,
		deviceMajor: 0,
		deviceMinor: 0,
		attributes: NO_ATTRIBUTES,
		...fields,
	};
}
