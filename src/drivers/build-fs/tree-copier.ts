/** Copies what a selection names into another tree, by the rules of COPY. */
import { fchmodSync, fchownSync, readSync, writeSync } from "node:fs";
import { errnoCode, InvalidParameterError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { CopyOptions } from "../../core/build/build-directories.ts";
import type { FreshFiles } from "../../core/diff/fresh-files.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { isWhiteoutName } from "../../core/diff/whiteout.ts";
import { getFileAttribute, listFileAttributes, setFileAttribute } from "../linux/file-attributes.ts";
import { closeDescriptor, copyRange, dataRanges, O } from "../linux/file-descriptors.ts";
import type { FileStatus } from "../linux/file-status.ts";
import { setFileTimes } from "../linux/file-times.ts";
import { resolveLinks } from "../linux/resolve-links.ts";
import { permissionsWhenMade, type RootDirectory } from "../linux/root-directory.ts";
import type { PathFilter } from "./path-filter.ts";
import { attributeNames, isCopiedAttribute } from "./selection-digest.ts";
import type { SourceItem } from "./source-items.ts";

const BUFFER_BYTES = 1 << 17;
/** The first of them soon: what the files come from is mostly new, too. */
const FLUSH_AT_FILES = 256;
const FILES_PER_FLUSH = 4096;
const ROOT = { uid: 0, gid: 0 };

export interface CopyDestination {
	/** In the target's root. A slash at its end says that it is a directory. */
	readonly path: string;
	readonly parents: boolean;
}

export interface TreeCopyOptions extends Omit<CopyOptions, "unpack"> {
	readonly mayLink: boolean;
	/** Files of the source may have extended attributes. */
	readonly hasAttributes: boolean;
	/** Hears of the small files. */
	readonly fresh?: FreshFiles | undefined;
	/** Called when there are many files to be written to the disk, and again when there are many more. */
	readonly startFlush?: (() => void) | undefined;
}

export class TreeCopier {
	readonly #pacer = new Pacer();
	readonly #buffer = new Uint8Array(BUFFER_BYTES);
	#files = 0;
	/** Inode in the source -> where its first name was copied to. */
	readonly #links = new Map<bigint, string>();

	constructor(
		readonly from: RootDirectory,
		readonly to: RootDirectory,
		readonly options: TreeCopyOptions,
		readonly filter: PathFilter | undefined,
	) {}

	/** @throws InvalidParameterError, ErrnoError */
	async copy(item: SourceItem, destination: CopyDestination): Promise<void> {
		if (this.filter?.skipsItem(item) === true) return;
		if (item.status.kind !== "directory") refuseWhiteout(item.path.slice(item.path.lastIndexOf("/") + 1), item.path);
		const target = this.#targetOf(item, destination);
		if (item.status.kind === "directory") {
			const existing = this.#statusAt(target);
			if (existing !== undefined && existing.kind !== "directory")
				throw new InvalidParameterError(`cannot copy to non-directory: /${target}`);
			this.makeParents(target);
			// What is in it is copied, and not the directory: of its own it has but the times.
			const status = destination.parents ? item.status : { ...item.status, uid: 0, gid: 0, permissions: this.#made };
			await this.#directory(item.path, target, "", status, existing === undefined);
			if (destination.parents) return;
			const bytes = encodePath(target === "" ? "." : target);
			if (existing === undefined) this.to.changePermissions(bytes, this.#made);
			else this.to.setTimes(bytes, status.modifiedNs, status.modifiedNs);
		} else {
			this.makeParents(target);
			await this.#entry(item.path, target, item.status);
		}
		if (this.#files > FLUSH_AT_FILES) this.options.startFlush?.();
	}

	/** Missing parents belong to the owner that was asked for, else to root. */
	makeParents(path: string): void {
		const parent = parentOf(path);
		if (parent === "" || this.#statusAt(parent) !== undefined) return;
		this.makeParents(parent);
		this.to.makeDirectory(encodePath(parent), this.#made);
		const { owner = ROOT } = this.options;
		this.to.changeOwner(encodePath(parent), owner.uid, owner.gid);
		this.to.changePermissions(encodePath(parent), this.#made);
	}

	get #made(): number {
		return this.options.madePermissions ?? 0o755;
	}

	#targetOf(item: SourceItem, { path, parents }: CopyDestination): string {
		const base = resolveLinks(this.to, path).slice(1);
		if (parents) return this.#resolved(join(base, item.name));
		if (item.status.kind === "directory") return base;
		const isDirectory = path.endsWith("/") || this.#statusAt(base)?.kind === "directory";
		return isDirectory ? join(base, item.name) : base;
	}

	/** Symlinks on the way, but not the last name. */
	#resolved(path: string): string {
		return join(resolveLinks(this.to, parentOf(path)).slice(1), path.slice(parentOf(path).length).replace(/^\//, ""));
	}

	async #directory(path: string, target: string, inside: string, status: FileStatus, isNew: boolean): Promise<void> {
		const bytes = encodePath(target === "" ? "." : target);
		if (isNew) this.#makeDirectory(bytes, status);
		for (const name of this.from.readDirectory(encodePath(path === "" ? "." : path))) {
			if (this.#pacer.isDue) await this.#pacer.pause();
			const text = decodePath(name);
			const [child, childInside] = [join(path, text), join(inside, text)];
			const childStatus = this.from.statusIfExists(encodePath(child));
			if (childStatus === undefined) continue;
			if (this.filter?.skips(child, childInside, childStatus.kind === "directory") === true) continue;
			refuseWhiteout(text, child);
			if (childStatus.kind === "directory") {
				const there = isNew ? undefined : this.#makeRoomForDirectory(join(target, text));
				await this.#directory(child, join(target, text), childInside, childStatus, there === undefined);
			} else {
				const copying = this.#entry(child, join(target, text), childStatus, isNew);
				if (copying !== undefined) await copying;
			}
		}
		// Below the first one even those that are there become as the source has them.
		if (isNew || inside !== "") this.#metadata(encodePath(path === "" ? "." : path), bytes, status);
	}

	/** @returns the directory that is there already */
	#makeRoomForDirectory(target: string): FileStatus | undefined {
		const there = this.#statusAt(target);
		if (there === undefined || there.kind === "directory") return there;
		throw new InvalidParameterError(`cannot copy to non-directory: /${target}`);
	}

	/** What is made in a directory of somebody's group may have been given to that group: not what is made in this one. */
	#makeDirectory(path: Uint8Array, status: FileStatus): void {
		const { owner = status } = this.options;
		this.to.makeDirectory(path, 0o700);
		this.to.changeOwner(path, owner.uid, owner.gid);
		this.to.changePermissions(path, 0o700);
	}

	/** Promises are for large files alone. @param isFree nothing is there, and the directory was made here */
	#entry(path: string, target: string, status: FileStatus, isFree = false): void | Promise<void> {
		const [source, bytes] = [encodePath(path), encodePath(target)];
		if (!isFree) this.#makeRoom(target);
		if (this.options.mayLink && this.#linkFrom(source, bytes, status)) return undefined;
		if (this.#linkAgain(target, status)) return undefined;
		if (status.kind === "file") {
			if (++this.#files % FILES_PER_FLUSH === FLUSH_AT_FILES) this.options.startFlush?.();
			return this.#file(source, target, status, isFree);
		}
		if (status.kind === "symlink") this.to.makeSymlink(this.from.readLink(source), bytes);
		else if (status.kind !== "directory")
			this.to.makeNode(bytes, status.kind, 0o600, status.deviceMajor, status.deviceMinor);
		this.#metadata(source, bytes, status);
		return undefined;
	}

	/** Nothing is written through what is there: it is replaced. */
	#makeRoom(target: string): void {
		const there = this.#statusAt(target);
		if (there === undefined) return;
		if (there.kind === "directory")
			throw new InvalidParameterError(`cannot replace the directory /${target} by a file`);
		this.to.unlink(encodePath(target));
	}

	/** The file itself under another name, when it already is as it is wanted. */
	#linkFrom(source: Uint8Array, target: Uint8Array, status: FileStatus): boolean {
		const { owner = status, chmod } = this.options;
		if (status.kind !== "file" || owner.uid !== status.uid || owner.gid !== status.gid) return false;
		if (chmod !== undefined && chmod(status.permissions, false) !== status.permissions) return false;
		try {
			this.to.makeLinkFrom(this.from, source, target);
			return true;
		} catch (error) {
			if (["EXDEV", "EMLINK", "EPERM"].includes(errnoCode(error) ?? "")) return false;
			throw error;
		}
	}

	#linkAgain(target: string, status: FileStatus): boolean {
		if (status.linkCount < 2) return false;
		const first = this.#links.get(status.inode);
		if (first === undefined) {
			this.#links.set(status.inode, target);
			return false;
		}
		this.to.makeLink(encodePath(first), encodePath(target));
		return true;
	}

	#file(source: Uint8Array, target: string, status: FileStatus, isFree: boolean): void | Promise<void> {
		const from = this.from.openFile(source, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
		const permissions = this.options.chmod?.(status.permissions, false) ?? status.permissions;
		let to = -1;
		let isLater = false;
		const close = () => {
			if (to >= 0) closeDescriptor(to);
			closeDescriptor(from);
		};
		try {
			to = this.to.openFile(encodePath(target), O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, permissions & 0o777);
			if (status.sizeBytes > BUFFER_BYTES) {
				isLater = true;
				return this.#large(from, to, status.sizeBytes)
					.then(() => void this.#fileMetadata(from, to, status, permissions, isFree))
					.finally(close);
			}
			const contents = this.#small(from, to);
			const isPlain = this.#fileMetadata(from, to, status, permissions, isFree);
			if (isPlain && contents !== undefined) this.options.fresh?.add(target, contents);
		} finally {
			if (!isLater) close();
		}
		return undefined;
	}

	/** Through descriptors, which is quicker than by names. @returns whether there are no extended attributes */
	#fileMetadata(from: number, to: number, status: FileStatus, permissions: number, isFree: boolean): boolean {
		const { owner = status, hasAttributes } = this.options;
		const isOwned = !isFree || owner.uid !== 0 || owner.gid !== 0;
		if (isOwned) fchownSync(to, owner.uid, owner.gid);
		// The others are there since the file was made.
		if (permissionsWhenMade(permissions) !== permissions) fchmodSync(to, permissions);
		const names = hasAttributes ? listFileAttributes(from) : [];
		for (const name of names) {
			const value = isCopiedAttribute(name) ? getFileAttribute(from, name) : undefined;
			if (value !== undefined) setFileAttribute(to, name, value);
		}
		setFileTimes(to, status.modifiedNs, status.modifiedNs);
		return names.length === 0;
	}

	/** @returns the contents, until the next file; undefined when the buffer does not hold them */
	#small(from: number, to: number): Uint8Array | undefined {
		for (let isFirst = true; ; isFirst = false) {
			const count = readSync(from, this.#buffer, 0, BUFFER_BYTES, null);
			for (let done = 0; done < count; ) done += writeSync(to, this.#buffer, done, count - done, null);
			if (count < BUFFER_BYTES) return isFirst ? this.#buffer.subarray(0, count) : undefined;
		}
	}

	/** Shares blocks where the file system can; holes stay holes otherwise. In pieces, so that everybody else has a turn. */
	async #large(from: number, to: number, sizeBytes: number): Promise<void> {
		try {
			for (let done = 0; done < sizeBytes; ) {
				const count = copyRange(from, to, Math.min(sizeBytes - done, 1 << 24));
				if (count === 0) break;
				done += count;
				await this.#pacer.pause();
			}
		} catch (error) {
			if (!["EXDEV", "EINVAL", "EOPNOTSUPP", "ENOSYS"].includes(errnoCode(error) ?? "")) throw error;
			await this.#ranges(from, to, sizeBytes);
		}
	}

	async #ranges(from: number, to: number, sizeBytes: number): Promise<void> {
		for (const { offset, length } of dataRanges(from, sizeBytes))
			for (let done = 0; done < length; ) {
				const count = readSync(from, this.#buffer, 0, Math.min(BUFFER_BYTES, length - done), offset + done);
				if (count === 0) break;
				for (let written = 0; written < count; )
					written += writeSync(to, this.#buffer, written, count - written, offset + done + written);
				done += count;
				await this.#pacer.pause();
			}
	}

	/** Of what is no file. */
	#metadata(source: Uint8Array, target: Uint8Array, status: FileStatus): void {
		const { owner = status, chmod } = this.options;
		this.to.changeOwner(target, owner.uid, owner.gid);
		if (status.kind !== "symlink") {
			const isDirectory = status.kind === "directory";
			this.to.changePermissions(target, chmod?.(status.permissions, isDirectory) ?? status.permissions);
		}
		if (status.kind === "directory")
			for (const name of attributeNames(this.from, source)) {
				const value = this.from.getAttribute(source, name);
				if (value !== undefined) this.to.setAttribute(target, name, value);
			}
		this.to.setTimes(target, status.modifiedNs, status.modifiedNs);
	}

	#statusAt(path: string): FileStatus | undefined {
		return this.to.statusIfExists(encodePath(path === "" ? "." : path));
	}
}

/** It would be there as long as the image is not pushed, and take something else away where it is pulled. */
function refuseWhiteout(name: string, path: string): void {
	if (isWhiteoutName(name))
		throw new InvalidParameterError(`cannot copy ${path}: in a layer such a name stands for a file that was removed`);
}

function join(parent: string, name: string): string {
	return parent === "" ? name : name === "" ? parent : `${parent}/${name}`;
}

function parentOf(path: string): string {
	return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
