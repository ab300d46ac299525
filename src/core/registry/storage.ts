/**
 * Where a registry keeps its files. Paths are relative, `/`-separated, made by `paths.ts` alone; a driver refuses others.
 * A file appears whole or not at all, except those being appended to. Directories exist when something lies in them.
 */
export interface FileInfo {
	readonly sizeBytes: number;
	/** Milliseconds since the epoch; `touch` renews it. */
	readonly modifiedMs: number;
	/** A path that other paths lie under. Its size is 0. */
	readonly isDirectory: boolean;
}

/** Bytes `start` up to and without `end`. */
export interface ByteRange {
	readonly start: number;
	readonly end: number;
}

/** A file being written piece by piece, over several openings and process lives. */
export interface AppendWriter {
	/** Bytes in the file. */
	readonly offset: number;
	/** Ends when the bytes are handed over; the chunk may then be used again. After a failure `close` is all that is left. */
	write(chunk: Uint8Array): Promise<void>;
	/** What was written so far survives the process: the file can be opened again at `offset`. Idempotent. */
	close(): Promise<void>;
	/** The same, and on the disk: the file is ready to be moved to its final place. */
	commit(): Promise<void>;
}

export interface RegistryStorage {
	/** Whether an appended file can be read with `open` before its commit. */
	readonly readsUnfinished: boolean;
	/** @throws NotFoundError, or SystemError when larger than `limitBytes` */
	read(path: string, limitBytes: number): Promise<Uint8Array>;
	/** Replaces the file in one step, on the disk when it returns. */
	write(path: string, bytes: Uint8Array): Promise<void>;
	/** Where readers may fetch the file themselves, for a few minutes; undefined where they must get it from here. */
	addressOf?(path: string): Promise<string | undefined>;
	/** The file's bytes for streaming. A Blob may be sent without passing through this process. @throws NotFoundError */
	open(path: string, range?: ByteRange): Promise<Blob | ReadableStream<Uint8Array>>;
	/**
	 * Opens for appending at `offset`, which cuts what lies behind it; 0 creates.
	 * @throws NotFoundError when `offset` is not 0 and the file does not exist; ConflictError when it is shorter than `offset`
	 */
	append(path: string, offset: number): Promise<AppendWriter>;
	/** @throws NotFoundError */
	stat(path: string): Promise<FileInfo>;
	/** Names directly under a directory, sorted; empty when there is none. */
	list(path: string): Promise<string[]>;
	/** Replaces the target, on the disk when it returns. @throws NotFoundError */
	move(from: string, to: string): Promise<void>;
	/** The file or everything under the path. Idempotent. */
	delete(path: string): Promise<void>;
	/** Ends what was begun at the storage before `cutoffMs` and is not a file yet, by whomever. @returns how many */
	abortUnfinished?(cutoffMs: number): Promise<number>;
	/** Makes the file look just written. @throws NotFoundError */
	touch(path: string): Promise<void>;
	close(): Promise<void>;
}
