import type { Readable } from "node:stream";
import type { FilesystemChange } from "../../api/engine/container.ts";
import type { Digest } from "../../base/digest.ts";
import type { FreshFiles } from "./fresh-files.ts";
import type { TarIdentity } from "./tar-checksum.ts";

/** What `stat` tells of a path inside a container. */
export interface PathStat {
	readonly name: string;
	readonly sizeBytes: number;
	/** Go `os.FileMode` bits, as the Engine API wants them. */
	readonly mode: number;
	/** Milliseconds since the epoch, fraction included. */
	readonly modifiedAt: number;
	/** Resolved inside the container for a symbolic link, else empty. */
	readonly linkTarget: string;
}

export interface WriteTreeOptions {
	/** Refuse to replace a directory by a file or the other way round. */
	readonly noOverwriteDirNonDir: boolean;
	/** Everything belongs to `owner` (docker's `cp -a` into a container with a user); otherwise the archive's numeric owners are kept. */
	readonly copyUidGid: boolean;
	/** A member `./` changes the directory itself, as tar(1) has it; otherwise that stays as it is. */
	readonly withRoot?: boolean;
	/** The container's user; undefined when it names none, and the archive's owners are kept then, too. */
	readonly owner: { readonly uid: number; readonly gid: number } | undefined;
	/** Gets the sha256 of every file's contents, by path relative to the directory unpacked into. */
	readonly digests?: Map<string, Digest>;
}

/**
 * Reads and writes trees as tar streams. `root` is a host directory that acts as `/`: nothing outside it is ever read or
 * written, whatever the symbolic links in it or the names in an archive say, even while someone else changes the tree.
 * Heavy work runs off the main thread's loop or yields to it.
 */
export interface TreeArchiver {
	/** @throws NotFoundError `Could not find the file <path> in container …` is the caller's wording */
	stat(root: string, path: string): Promise<PathStat>;
	/** A tar of `path` (file, directory with its contents, link) named by its base name, as `GET /containers/{id}/archive`. */
	read(root: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: Readable }>;
	/** Unpacks `tar` (also gzip, zstd, bzip2, xz) into the existing directory `path`. @throws NotFoundError, InvalidParameterError */
	write(root: string, path: string, tar: Readable, options: WriteTreeOptions): Promise<void>;
	/**
	 * A tar of the whole tree, for `export`. Sockets are left out.
	 * @param options `exact`: with the root itself as `./`, times to the nanosecond and lists of access control, as a backup wants it
	 */
	export(root: string, options?: { readonly exact?: boolean }): Readable;
	/** A tar of several whole trees, each in a directory of its own. */
	exportTrees(trees: readonly NamedTree[]): Readable;
}

export interface NamedTree {
	/** Of the directory, in the archive. */
	readonly name: string;
	readonly root: string;
}

export interface AppliedLayer {
	readonly diffId: Digest;
	/** Size of the uncompressed tar. */
	readonly tarSizeBytes: number;
	/** As `TarChecksum` has it. */
	readonly tarChecksum: Digest;
	/** Bytes of file contents written. */
	readonly contentSizeBytes: number;
	/** Files, directories and everything else made. */
	readonly inodes: number;
	/** The re-assembly record's blob, from which `LayerWriter.tar` makes the same bytes again. */
	readonly assembly: Digest;
}

/** `assembly` is missing: the deterministic writer makes the same bytes again. */
export type MeasuredDiff = Omit<AppliedLayer, "assembly"> & {
	/** Nothing was changed. */
	readonly isEmpty: boolean;
};

export interface ApplyOptions {
	/** Digest that the uncompressed tar must have. */
	readonly diffId?: Digest | undefined;
	/** Most bytes the uncompressed tar may have; an archive that unpacks to more is refused. */
	readonly tarLimitBytes?: number | undefined;
	/** Hears how many bytes were read from the archive so far. */
	readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface DiffOptions {
	readonly wholeTree?: boolean;
	/** Whether a directory of which only the time was changed is among the changes (default), see `LayerRecord.directoryTimes`. */
	readonly directoryTimes?: boolean;
}

/** Where a layer's tar comes from: the re-assembly record, or, without one, the deterministic writer. */
export type LayerSource =
	| { readonly directory: string; readonly assembly: Digest }
	| { readonly directory: string; readonly lowers: readonly string[]; readonly directoryTimes: boolean };

export interface CompressOptions {
	/** What the tar must be. */
	readonly tar: TarIdentity;
	/** Hears how much of the tar was read. */
	readonly onRead?: ((bytes: number) => void) | undefined;
}

/** Layers between their two forms: tar stream and unpacked directory. */
export interface LayerApplier {
	/**
	 * Unpacks an OCI layer (uncompressed, gzip or zstd; detected) into `directory`: whiteouts become overlay whiteouts, opaque
	 * markers the opaque xattr. Stores the re-assembly record in the content store, from where the caller flushes it.
	 * @throws InvalidParameterError for a broken or hostile archive, or another one than `diffId` says; the caller aborts the ingest.
	 */
	apply(tar: Readable, directory: string, options?: ApplyOptions): Promise<AppliedLayer>;
	/** The uncompressed bytes of an archive that may be plain, gzip, zstd, bzip2 or xz. @throws InvalidParameterError, UnavailableError */
	decompress(archive: Readable): AsyncIterable<Uint8Array>;
	/** The layer's tar, byte for byte what was applied, from the unpacked directory and the record. Verified by the reader. */
	tar(directory: string, assembly: Digest): Readable;
	/** A tar of this size is about to be compressed. */
	prepareCompression(tarSizeBytes: number): void;
	/**
	 * The layer's tar as gzip, in pieces that are good until the next one is asked for. On one machine the same layer always gives the same
	 * bytes. Leaving the loop early ends all work on it.
	 * @throws SystemError from the iteration when the files do not give the layer any more
	 */
	compress(source: LayerSource, options: CompressOptions): AsyncIterable<Uint8Array>;
	/**
	 * A deterministic tar of the container's changes (`upper` over `lowers`, topmost first) with OCI whiteouts, for commit.
	 * @param options `wholeTree`: `upper` is all of the container's tree (`ContainerSnapshot.isWholeTree`)
	 * @throws InvalidParameterError, while it is read, naming a file that no layer can have
	 */
	diff(upper: string, lowers: readonly string[], options?: DiffOptions): Readable;
	/** What `diff` would give, counted and digested. @throws InvalidParameterError as `diff` */
	measure(upper: string, lowers: readonly string[], fresh?: FreshFiles): Promise<MeasuredDiff>;
	/** The container's changes, sorted by path, as `GET /containers/{id}/changes`. */
	changes(upper: string, lowers: readonly string[], options?: DiffOptions): Promise<FilesystemChange[]>;
}
