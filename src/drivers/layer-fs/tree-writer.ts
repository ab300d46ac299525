/**
 * Writes the members of an archive into a directory tree. Every name resolves inside the root, symlinks made by the archive itself
 * included; a member replaces what has its name, and never writes through it.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, fchmodSync, fchownSync, ftruncateSync, writeSync } from "node:fs";
import { type Digest, sha256FromHex } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { cleanMemberName, joinPath, parentOf } from "../../core/diff/archive-path.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import type { TarEntry } from "../../core/diff/tar-entry.ts";
import type { TarSink } from "../../core/diff/tar-reader.ts";
import { O } from "../linux/file-descriptors.ts";
import type { FileStatus } from "../linux/file-status.ts";
import { errnoError } from "../linux/libc.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import { isErrno, memberError } from "./archive-error.ts";

export interface TreeWriterOptions {
	/** Directory below the root that member names start at; "" for the root itself. */
	readonly base?: string;
	/** Everything belongs to it; by default to whom the archive says. */
	readonly owner?: { readonly uid: number; readonly gid: number };
	readonly noOverwriteDirNonDir?: boolean;
	/** A member without a name gives its owner, mode and time to the directory unpacked into. */
	readonly withRoot?: boolean;
	/** Gets the digest of each file's contents, by name. */
	readonly digests?: Map<string, Digest>;
}

const EBUSY = 16;

/** Attributes that steer overlayfs: an archive has no say in them. */
const REFUSED_ATTRIBUTE = /^(trusted\.|user\.overlay\.)/;

export class TreeWriter implements TarSink {
	/** Bytes of files and symlinks written. */
	contentSizeBytes = 0;
	inodes = 0;
	#fd = -1;
	#entry: TarEntry | undefined;
	#path = "";
	#name = "";
	#hash: Hash | undefined;
	/** Names, while digests are collected. */
	readonly #symlinks = new Set<string>();
	/** Directories' times are set last: what is made in them changes them. */
	readonly #directoryTimes = new Map<string, bigint>();

	constructor(
		readonly root: RootDirectory,
		readonly options: TreeWriterOptions = {},
	) {}

	entry(entry: TarEntry): void {
		this.#entry = undefined;
		const name = cleanMemberName(entry.name);
		try {
			this.place(entry, joinPath(this.options.base ?? "", name), name);
		} catch (error) {
			throw memberError("unpack", entry.name, error);
		}
	}

	data(chunk: Uint8Array, offset: number): void {
		if (this.#fd < 0) return;
		try {
			for (let done = 0; done < chunk.length; )
				done += writeSync(this.#fd, chunk, done, chunk.length - done, offset + done);
			this.#hash?.update(chunk);
		} catch (error) {
			throw memberError("write", this.#path, error);
		}
	}

	end(): void {
		const entry = this.#entry;
		if (entry === undefined) return;
		try {
			if (this.#fd >= 0) this.#finishFile(entry);
		} catch (error) {
			throw memberError("unpack", entry.name, error);
		}
	}

	/** Whether contents of the current member go to a file. */
	protected get isWriting(): boolean {
		return this.#fd >= 0;
	}

	/** All members were written. */
	finish(): void {
		for (const [path, modifiedNs] of this.#directoryTimes) {
			try {
				this.root.setTimes(encodePath(path), modifiedNs, modifiedNs);
			} catch (error) {
				// Replaced by a later member, or by somebody else.
				if (!isErrno(error, "ENOENT", "ENOTDIR")) throw memberError("set times of", path, error);
			}
		}
		this.#directoryTimes.clear();
	}

	/** Releases what a broken archive left open. Idempotent. */
	close(): void {
		if (this.#fd >= 0) closeSync(this.#fd);
		this.#fd = -1;
	}

	/** Makes one member. `name` is `path` without the base; "" is the directory unpacked into, which stays as it is. */
	protected place(entry: TarEntry, path: string, name: string): void {
		if (name === "") {
			if (entry.type !== "directory") throw new InvalidParameterError(`archive member "${entry.name}" names the root`);
			if (this.options.withRoot === true) this.#finishMetadata(entry, path, encodePath(path === "" ? "." : path));
			return;
		}
		this.#entry = entry;
		this.#path = path;
		this.#name = name;
		if (this.options.digests !== undefined) this.#forgetDigest(entry, name);
		// Of a sparse file only the data pass by.
		this.#hash = this.options.digests === undefined || entry.sparse !== undefined ? undefined : createHash("sha256");
		const bytes = encodePath(path);
		for (let attempt = 0; ; attempt++) {
			try {
				if (this.#make(entry, bytes)) this.inodes++;
				break;
			} catch (error) {
				if (attempt < 2 && isErrno(error, "EEXIST", "EISDIR")) this.#makeWay(entry, path);
				else if (attempt < 2 && isErrno(error, "ENOENT") && !this.#isMissingLink(entry))
					this.inodes += this.root.makeDirectories(encodePath(parentOf(path))) ? 1 : 0;
				else throw error;
			}
		}
		if (entry.type !== "file" && entry.type !== "hard-link") this.#finishMetadata(entry, path, bytes);
		this.placed(entry, path);
	}

	#forgetDigest(entry: TarEntry, name: string): void {
		this.options.digests?.delete(name);
		if (entry.type === "symlink") this.#symlinks.add(name);
		// What is replaced behind a symlink goes by another name.
		else if (this.#passesSymlink(name)) this.options.digests?.clear();
	}

	#passesSymlink(name: string): boolean {
		if (this.#symlinks.size === 0) return false;
		for (let slash = name.indexOf("/"); slash > 0; slash = name.indexOf("/", slash + 1))
			if (this.#symlinks.has(name.slice(0, slash))) return true;
		return false;
	}

	/** Hook: a member was made at `path`. */
	protected placed(_entry: TarEntry, _path: string): void {}

	/** Hook: takes away what stands at `path`, which may be a directory with contents. */
	protected displace(path: string, _status: FileStatus): void {
		this.root.removeAll(encodePath(path));
	}

	/** @returns whether something new came to be */
	#make(entry: TarEntry, path: Uint8Array): boolean {
		switch (entry.type) {
			case "file":
				this.#fd = this.root.openFile(path, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
				break;
			case "directory":
				return this.#makeDirectory(path);
			case "symlink":
				this.root.makeSymlink(encodePath(entry.linkName), path);
				this.contentSizeBytes += encodePath(entry.linkName).length;
				break;
			case "hard-link":
				this.root.makeLink(encodePath(this.#linkTarget(entry)), path);
				return false;
			case "fifo":
				this.root.makeNode(path, "fifo", 0o600);
				break;
			default:
				this.root.makeNode(path, entry.type, 0o600, entry.deviceMajor, entry.deviceMinor);
		}
		return true;
	}

	#makeDirectory(path: Uint8Array): boolean {
		try {
			this.root.makeDirectory(path, 0o700);
			return true;
		} catch (error) {
			// Directories merge; anything else makes way.
			if (!isErrno(error, "EEXIST") || this.root.statusIfExists(path)?.kind !== "directory") throw error;
			return false;
		}
	}

	#linkTarget(entry: TarEntry): string {
		return joinPath(this.options.base ?? "", cleanMemberName(entry.linkName));
	}

	#isMissingLink(entry: TarEntry): boolean {
		return entry.type === "hard-link" && this.root.statusIfExists(encodePath(this.#linkTarget(entry))) === undefined;
	}

	#makeWay(entry: TarEntry, path: string): void {
		const status = this.root.statusIfExists(encodePath(path));
		if (status === undefined) return;
		// In a running container's tree the removal would succeed and take the mount out of the container.
		if (status.isMountPoint) throw errnoError(EBUSY, "unlinkat", path);
		if (this.options.noOverwriteDirNonDir === true) {
			const [was, becomes] = [status.kind === "directory", entry.type === "directory"];
			if (was && !becomes)
				throw new InvalidParameterError(`cannot overwrite directory "/${path}" with non-directory "${entry.name}"`);
			if (!was && becomes)
				throw new InvalidParameterError(`cannot overwrite non-directory "/${path}" with directory "${entry.name}"`);
		}
		if (entry.type === "hard-link") {
			const target = this.root.statusIfExists(encodePath(this.#linkTarget(entry)));
			// Linked to itself: taking the old one away would lose the file.
			if (target !== undefined && target.inode === status.inode && target.device === status.device)
				throw new InvalidParameterError(`hard link "${entry.name}" points to itself`);
		}
		this.displace(path, status);
	}

	#finishFile(entry: TarEntry): void {
		const fd = this.#fd;
		// A file that ends in a hole has no last byte written.
		if (entry.sparse !== undefined) ftruncateSync(fd, entry.sizeBytes);
		const { uid, gid } = this.options.owner ?? entry;
		fchownSync(fd, uid, gid);
		fchmodSync(fd, entry.mode);
		this.#fd = -1;
		closeSync(fd);
		const path = encodePath(this.#path);
		this.#setAttributes(entry, path);
		this.root.setTimes(path, entry.modifiedNs, entry.modifiedNs);
		this.contentSizeBytes += entry.sizeBytes;
		if (this.#hash !== undefined && !this.#passesSymlink(this.#name))
			this.options.digests?.set(this.#name, sha256FromHex(this.#hash.digest("hex")));
	}

	#finishMetadata(entry: TarEntry, path: string, bytes: Uint8Array): void {
		const { uid, gid } = this.options.owner ?? entry;
		this.root.changeOwner(bytes, uid, gid);
		if (entry.type !== "symlink") this.root.changePermissions(bytes, entry.mode);
		this.#setAttributes(entry, bytes);
		if (entry.type === "directory") this.#directoryTimes.set(path, entry.modifiedNs);
		else this.root.setTimes(bytes, entry.modifiedNs, entry.modifiedNs);
	}

	#setAttributes(entry: TarEntry, path: Uint8Array): void {
		for (const [name, value] of entry.attributes) {
			if (REFUSED_ATTRIBUTE.test(name)) continue;
			try {
				this.root.setAttribute(path, name, value);
			} catch (error) {
				// The file system, or the file's type, has no such attributes: Docker goes on, too.
				if (!isErrno(error, "EOPNOTSUPP", "EPERM")) throw error;
			}
		}
	}
}
