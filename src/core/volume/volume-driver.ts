import type { VolumeRecord } from "./volume-record.ts";

/** What the daemon does with volumes whose files it keeps itself: the `local` driver. */
export interface LocalVolumeDriver {
	/** Directory of the volume's files, whether mounted or not. */
	mountpoint(name: string): string;
	/** @throws InvalidParameterError for options the driver does not have; nothing is made. */
	check(record: Pick<VolumeRecord, "name" | "options">): void;
	/** Whether making it takes long or leaves half a volume when it is cut short: its record has to be there first then. */
	isMadeInSteps(record: Pick<VolumeRecord, "options">): boolean;
	/** Makes the directory, and what its options ask for. Idempotent. @throws SystemError */
	create(record: VolumeRecord): Promise<void>;
	/** Deletes the files. Idempotent. @throws ConflictError while mounted */
	remove(record: VolumeRecord): Promise<void>;
	/** Takes back a creation, without removing files that were there before it. */
	withdraw(record: VolumeRecord): Promise<void>;
	/** Makes the files available (mounts option volumes). Counted per `holder`; idempotent per holder. @returns their directory */
	mount(record: VolumeRecord, holder: string): Promise<string>;
	/** Idempotent. */
	unmount(record: VolumeRecord, holder: string): Promise<void>;
	/** Bytes used. */
	usage(record: VolumeRecord): Promise<number>;
	/**
	 * Copies a directory of an image into an empty fresh volume, with owners, modes, xattrs and links kept; never through links
	 * that whoever has it mounted puts there.
	 */
	populate(record: VolumeRecord, sourceRoot: string, sourcePath: string): Promise<void>;
	/**
	 * Fills a fresh volume that nobody has mounted: `work` gets a directory to write to; what it wrote is the volume's, and on the disk,
	 * when this resolves. After a failure the caller removes the volume.
	 */
	fill(record: VolumeRecord, work: (directory: string) => Promise<void>): Promise<void>;
	/** Moves the files to the record's name. Idempotent. @throws ConflictError when something of that name is in the way */
	rename(formerName: string, record: VolumeRecord): Promise<void>;
	/** Whether anything of that name is there, with a volume's record or without. */
	exists(name: string): boolean;
	/**
	 * After a crash: finishes removals, drops directories that never got a record, unmounts what no container in `mounted` holds.
	 * @param names of all volumes that exist
	 */
	cleanUp(keep: { readonly names: ReadonlySet<string>; readonly mounted: ReadonlySet<string> }): Promise<VolumeCleanUp>;
}

export interface VolumeCleanUp {
	/** Volumes whose files are not there: their removal was cut short. */
	readonly gone: readonly string[];
	/** What could not be cleaned up, in words. */
	readonly problems: readonly string[];
}

export interface CopyOptions {
	/** Hears how many bytes of files are copied so far. */
	readonly onProgress?: (bytes: number) => void;
	readonly signal?: AbortSignal;
}

/** Trees of files on the host that somebody else may be changing: nothing outside of them is read or written, whatever links are in them. */
export interface VolumeTrees {
	isEmpty(directory: string): boolean;
	/** Bytes of all files, each hard-linked one once. */
	size(directory: string): Promise<number>;
	/**
	 * Copies what is in the directory `path` of `root` (links resolved inside `root`) into `target`, which takes owner and mode of
	 * it, sharing blocks where the file system can. What has a name in `target` already stays as it is.
	 * @returns false when there is no such directory
	 */
	copy(
		source: { readonly root: string; readonly path: string },
		target: string,
		options?: CopyOptions,
	): Promise<boolean>;
}
