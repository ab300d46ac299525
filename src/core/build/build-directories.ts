import type { Readable } from "node:stream";
import type { Digest } from "../../base/digest.ts";
import type { FreshFiles } from "../diff/fresh-files.ts";

/** Directories of the builder: kept ones named after their cache record, and temporary ones that the next start removes. */
export interface BuildDirectories {
	/** Makes the record's directory, or finds it. */
	keep(id: string): string;
	/** Idempotent. Out of sight at once, then deleted. */
	remove(id: string): Promise<void>;
	/** Disk use of what the record keeps. */
	sizeBytes(id: string): Promise<number>;
	/** A fresh directory for one build. */
	temporary(): string;
	/** Idempotent. Out of sight at once, deleted later. @param path as `temporary` gave it */
	removeTemporary(path: string): Promise<void>;
	/** A fresh directory whose contents never reach a disk, for secrets. */
	memory(): string;
	/** Idempotent. */
	removeMemory(path: string): void;
	/** Resolves when everything that was removed is deleted. */
	settled(): Promise<void>;
	/** Bytes free on the file system. */
	freeBytes(): number;
	/** Of the file system. */
	totalBytes(): number;
	/** At start: temporary directories, and those of records that are not in `keep`. */
	cleanUp(keep: ReadonlySet<string>): Promise<void>;
}

/** What of a tree is taken, and how names of it are found. */
export interface FileSelection {
	/** Host directory that acts as `/`. */
	readonly root: string;
	/** Go patterns (filepath.Match), relative to the root. A symlink at the end of a name without wildcards is followed. */
	readonly sources: readonly string[];
	/** Patterns as in .dockerignore; what matches is left out. For whole contexts relative to the root. */
	readonly ignore: readonly string[];
	/** `--exclude`: relative to the root, too. */
	readonly exclude: readonly string[];
	/** `--parents`: below the destination with the path they have, from the pivot `/./` on. */
	readonly parents: boolean;
	/** Nobody will ever change the tree's files: they may be linked in place of being copied. */
	readonly mayLink?: boolean | undefined;
	/** Contents known already, by path relative to the root. */
	readonly knownDigest?: ((path: string) => Digest | undefined) | undefined;
}

export interface CopyOptions {
	/** Undefined: as the source has it. */
	readonly owner: { readonly uid: number; readonly gid: number } | undefined;
	/** Changes permission bits; undefined: as the source has them. */
	readonly chmod: ((permissions: number, isDirectory: boolean) => number) | undefined;
	/** Of the destination's directories that have to be made; undefined: 0755. */
	readonly madePermissions?: number | undefined;
	/** ADD: archives among the sources are unpacked into the destination, for `owner` or whom the archive says. Undefined: they are copied. */
	readonly unpack: { readonly owner: { readonly uid: number; readonly gid: number } | undefined } | undefined;
}

export interface WrittenFileOptions {
	readonly permissions: number;
	readonly owner: { readonly uid: number; readonly gid: number };
	/** Of directories that have to be made; undefined: 0755. */
	readonly madePermissions?: number | undefined;
	/** Its name where the path is a directory, or ends with a slash. */
	readonly name?: string;
}

export interface CopyTarget {
	/** Host directory that acts as `/`. */
	readonly root: string;
	/**
	 * Where what is written below `root` ends up, when `root` is an overlay; new trees are written there, after the overlay is off. `fresh`
	 * hears of their files, and `startFlush` is called when there are many.
	 */
	readonly upper?: {
		readonly path: string;
		readonly fresh: FreshFiles;
		readonly detach: () => Promise<void>;
		readonly startFlush: () => void;
	};
}

export interface MountPlace {
	/** In the tree. */
	readonly target: string;
	/** Host path of what will be mounted; "" for a file system of its own. */
	readonly source: string;
}

/** Reads and writes trees for COPY and ADD; nothing outside of either root is ever touched, whatever symlinks say. */
export interface BuildFiles {
	/**
	 * Digest of what the selection copies: names, types, permissions, owners, contents, link targets and attributes; not times.
	 * Contents are read once for each state of a file.
	 * @throws NotFoundError naming a source that is not there
	 */
	digest(selection: FileSelection): Promise<Digest>;
	/**
	 * Copies into the tree `targetRoot` by the rules of COPY. A destination that ends with a slash, or is one, is a directory.
	 * @throws NotFoundError, InvalidParameterError
	 */
	copy(selection: FileSelection, target: CopyTarget, destination: string, options: CopyOptions): Promise<void>;
	/** Makes a directory with its parents where it is missing. @returns whether it was missing */
	makeDirectory(
		targetRoot: string,
		path: string,
		owner: { readonly uid: number; readonly gid: number } | undefined,
	): boolean;
	/** Writes a file, in place of what has its name. */
	writeFile(targetRoot: string, path: string, data: Uint8Array, options: WrittenFileOptions): void;
	/** Writes a stream to a new file. @returns the digest of its contents */
	saveFile(
		targetRoot: string,
		path: string,
		data: Readable,
		options: {
			readonly permissions: number;
			/** Milliseconds since the epoch. */
			readonly modifiedAt: number;
			readonly signal: AbortSignal;
		},
	): Promise<Digest>;
	/** Sets times after the limit (milliseconds since the epoch) back to it, in a tree nobody uses. */
	limitTimes(root: string, limitMs: number): Promise<void>;
	changeMode(targetRoot: string, path: string, permissions: number): void;
	/** Makes something of a tree whole or not at all: `make` gets the name that it has until it is. What is there already stays. */
	makeWhole(root: string, name: string, make: (draft: string) => Promise<void> | void): Promise<void>;
	/** Host path of something in a tree, symlinks resolved inside it; undefined when it is not there. Valid while nobody changes the tree. */
	resolve(root: string, path: string): string | undefined;
	/**
	 * Makes what is missing of the places where something will be mounted. It goes with the result, but for what has something in it by then;
	 * times of the directories around stay as they were.
	 */
	mountStubs(root: string, places: readonly MountPlace[]): Disposable;
	/** A regular file's bytes, symlinks resolved inside the root; undefined when there is none. @throws InvalidParameterError beyond the limit */
	readFile(root: string, path: string, limitBytes: number): Uint8Array | undefined;
	/** Names in a directory, sorted, symlinks resolved inside the root; none when there is no directory. */
	list(root: string, path: string): string[];
	/** A regular file's bytes as they are read, symlinks resolved inside the root. @throws NotFoundError when there is none */
	openFile(root: string, path: string): Readable;
	/**
	 * Unpacks a build context (plain or compressed), everything owned by root.
	 * @returns digests of its files' contents by path
	 * @throws InvalidParameterError for what is no archive
	 */
	unpack(archive: Readable, directory: string, signal: AbortSignal): Promise<ReadonlyMap<string, Digest>>;
}
