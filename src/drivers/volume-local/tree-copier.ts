/**
 * Copies a tree of files into another, both of which somebody else may be changing meanwhile: containers have volumes mounted.
 * Every name resolves inside its own root, links are copied and never followed, and a file's owner, mode and attributes are set
 * through its descriptor, so that they reach what was copied and nothing that was put in its place.
 */
import { fchmodSync, fchownSync, ftruncateSync, read, readSync, write, writeSync } from "node:fs";
import { promisify } from "node:util";
import { CancelledError, errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { CopyOptions } from "../../core/volume/volume-driver.ts";
import { cloneFile } from "../linux/clone-file.ts";
import { getFileAttribute, listFileAttributes, setFileAttribute } from "../linux/file-attributes.ts";
import { closeDescriptor, dataRanges, O } from "../linux/file-descriptors.ts";
import { type FileStatus, statusAt } from "../linux/file-status.ts";
import { setFileTimes } from "../linux/file-times.ts";
import type { RootDirectory } from "../linux/root-directory.ts";

/** What overlayfs keeps for itself. */
const SKIPPED_ATTRIBUTE = /^(trusted|user)\.overlay\./;
/** What was found is not there any more, or its directory is not: somebody else is at work, and has what he made of it. */
const REPLACED = ["ENOENT", "ENOTDIR", "ELOOP"];
/** Files up to here are copied at once, bigger ones piecewise off the main thread. */
const SMALL_BYTES = 1 << 16;
const CHUNK_BYTES = 1 << 20;

const readAsync = promisify(read);
const writeAsync = promisify(write);

export class TreeCopier {
	/** `device inode` of files with several links -> first path. */
	readonly #links = new Map<string, Buffer>();
	readonly #pacer = new Pacer();
	#copiedBytes = 0;

	constructor(
		readonly from: RootDirectory,
		readonly to: RootDirectory,
		readonly options: CopyOptions = {},
	) {}

	/** @throws SystemError naming the file, CancelledError */
	async copy(): Promise<void> {
		const root = Buffer.from(".");
		const status = this.from.status(root);
		await this.#copyContents(Buffer.alloc(0));
		this.#copyDirectoryMetadata(root, status);
	}

	async #copyContents(directory: Buffer): Promise<void> {
		for (const name of this.#namesIn(directory)) {
			await this.#pacer.pause();
			if (this.options.signal?.aborted === true) throw new CancelledError();
			const path = directory.length === 0 ? name : Buffer.concat([directory, Buffer.from("/"), name]);
			try {
				await this.#copyEntry(path);
			} catch (error) {
				if (isErrno(error, ...REPLACED)) continue;
				throw copyError(path, error);
			}
		}
	}

	#namesIn(directory: Buffer): Buffer[] {
		try {
			return this.from.readDirectory(directory);
		} catch (error) {
			if (isErrno(error, ...REPLACED)) return [];
			throw copyError(directory, error);
		}
	}

	async #copyEntry(path: Buffer): Promise<void> {
		const status = this.from.status(path);
		switch (status.kind) {
			case "directory":
				return await this.#copyDirectory(path, status);
			case "file":
				return await this.#copyFile(path);
			case "symlink":
				return unlessThere(() => {
					this.to.makeSymlink(this.from.readLink(path), path);
					this.to.changeOwner(path, status.uid, status.gid);
					this.to.setTimes(path, status.accessedNs, status.modifiedNs);
				});
			default: {
				const { kind, deviceMajor, deviceMinor } = status;
				return unlessThere(() => {
					this.to.makeNode(path, kind, 0o600, deviceMajor, deviceMinor);
					this.to.changeOwner(path, status.uid, status.gid);
					this.to.changePermissions(path, status.permissions & 0o777);
					this.to.setTimes(path, status.accessedNs, status.modifiedNs);
				});
			}
		}
	}

	async #copyDirectory(path: Buffer, status: FileStatus): Promise<void> {
		const isNew = this.#makeDirectory(path);
		if (isNew === undefined) return;
		await this.#copyContents(path);
		if (isNew) this.#copyDirectoryMetadata(path, status);
	}

	/** @returns whether it is new; undefined when something else has its name */
	#makeDirectory(path: Buffer): boolean | undefined {
		try {
			this.to.makeDirectory(path, 0o700);
			return true;
		} catch (error) {
			if (!isErrno(error, "EEXIST")) throw error;
			return this.to.statusIfExists(path)?.kind === "directory" ? false : undefined;
		}
	}

	#copyDirectoryMetadata(path: Buffer, status: FileStatus): void {
		const source = this.from.openFile(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
		try {
			const target = this.to.openFile(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
			try {
				applyMetadata(source, target, status);
			} finally {
				closeDescriptor(target);
			}
		} finally {
			closeDescriptor(source);
		}
	}

	async #copyFile(path: Buffer): Promise<void> {
		// Opening a fifo that was put in its place must not wait for a writer.
		const source = this.from.openFile(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
		try {
			const status = statusAt(source, "");
			if (status.kind !== "file" || this.#linkAgain(path, status)) return;
			const target = this.#create(path);
			if (target === undefined) return;
			try {
				await this.#copyData(source, target, status.sizeBytes);
				applyMetadata(source, target, status);
			} finally {
				closeDescriptor(target);
			}
		} finally {
			closeDescriptor(source);
		}
	}

	/** Undefined when something has the name already. */
	#create(path: Buffer): number | undefined {
		try {
			return this.to.openFile(path, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
		} catch (error) {
			if (isErrno(error, "EEXIST")) return undefined;
			throw error;
		}
	}

	#linkAgain(path: Buffer, status: FileStatus): boolean {
		if (status.linkCount < 2) return false;
		const key = `${status.device} ${status.inode}`;
		const first = this.#links.get(key);
		if (first === undefined) {
			this.#links.set(key, path);
			return false;
		}
		try {
			unlessThere(() => this.to.makeLink(first, path));
			return true;
		} catch (error) {
			if (isErrno(error, "ENOENT", "EMLINK", "EPERM")) return false; // then it is a file of its own
			throw error;
		}
	}

	/** Shares blocks where the file system can; holes stay holes otherwise. */
	async #copyData(source: number, target: number, sizeBytes: number): Promise<void> {
		if (sizeBytes > 0 && !cloneFile(source, target)) {
			for (const { offset, length } of dataRanges(source, sizeBytes))
				await this.#copyRange({ source, target, offset, length });
			ftruncateSync(target, sizeBytes);
		} else this.#report(sizeBytes);
	}

	async #copyRange(range: { source: number; target: number; offset: number; length: number }): Promise<void> {
		const { source, target, offset, length } = range;
		const buffer = Buffer.allocUnsafe(Math.min(length, CHUNK_BYTES));
		const isSmall = length <= SMALL_BYTES;
		for (let done = 0; done < length; ) {
			if (this.options.signal?.aborted === true) throw new CancelledError();
			const wanted = Math.min(length - done, buffer.length);
			const count = isSmall
				? readSync(source, buffer, 0, wanted, offset + done)
				: (await readAsync(source, buffer, 0, wanted, offset + done)).bytesRead;
			if (count === 0) return; // cut short meanwhile
			for (let written = 0; written < count; )
				written += isSmall
					? writeSync(target, buffer, written, count - written, offset + done + written)
					: (await writeAsync(target, buffer, written, count - written, offset + done + written)).bytesWritten;
			done += count;
			this.#report(count);
		}
	}

	#report(bytes: number): void {
		this.#copiedBytes += bytes;
		this.options.onProgress?.(this.#copiedBytes);
	}
}

/** Owner first: a change of it clears setuid bits and capabilities. */
function applyMetadata(source: number, target: number, status: FileStatus): void {
	fchownSync(target, status.uid, status.gid);
	fchmodSync(target, status.permissions);
	for (const name of listFileAttributes(source)) {
		const value = SKIPPED_ATTRIBUTE.test(name) ? undefined : getFileAttribute(source, name);
		if (value === undefined) continue;
		try {
			setFileAttribute(target, name, value);
		} catch (error) {
			if (!isErrno(error, "EOPNOTSUPP", "EPERM")) throw error; // the file system has no such attributes
		}
	}
	setFileTimes(target, status.accessedNs, status.modifiedNs);
}

function unlessThere(make: () => void): void {
	try {
		make();
	} catch (error) {
		if (!isErrno(error, "EEXIST")) throw error;
	}
}

function copyError(path: Buffer, cause: unknown): Error {
	if (cause instanceof SystemError || cause instanceof CancelledError) return cause;
	return new SystemError(`failed to copy ${path.toString()}: ${errorMessage(cause)}`, { cause });
}

function isErrno(error: unknown, ...codes: readonly string[]): boolean {
	return codes.includes(errnoCode(error) ?? "");
}
