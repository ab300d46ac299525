/** Copies a layer's files onto a tree, as overlayfs would show them on top of it. */
import { readSync, writeSync } from "node:fs";
import { closeDescriptor, copyRange, dataRanges, O } from "../linux/file-descriptors.ts";
import type { FileStatus } from "../linux/file-status.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import { isErrno } from "./is-errno.ts";

const OPAQUE_ATTRIBUTE = "trusted.overlay.opaque";
const BUFFER_BYTES = 1 << 20;
const ENTRIES_PER_TURN = 64;

export class LayerCopier {
	/** Inode in the layer -> first path, for hard links. */
	readonly #links = new Map<bigint, Buffer>();
	#copied = 0;

	constructor(
		readonly from: RootDirectory,
		readonly to: RootDirectory,
	) {}

	async copy(): Promise<void> {
		await this.#copyDirectory(Buffer.alloc(0));
		const status = this.from.status(".");
		this.#copyMetadata(Buffer.from("."), status);
	}

	async #copyDirectory(path: Buffer): Promise<void> {
		for (const name of this.from.readDirectory(path)) {
			if (++this.#copied % ENTRIES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
			const child = path.length === 0 ? name : Buffer.concat([path, Buffer.from("/"), name]);
			await this.#copyEntry(child, this.from.status(child));
		}
	}

	async #copyEntry(path: Buffer, status: FileStatus): Promise<void> {
		if (status.kind === "character-device" && status.deviceMajor === 0 && status.deviceMinor === 0)
			return this.to.removeAll(path);
		if (status.kind === "directory") {
			this.#makeDirectory(path);
			await this.#copyDirectory(path);
		} else {
			this.to.removeAll(path);
			if (this.#linkAgain(path, status)) return;
			this.#make(path, status);
		}
		this.#copyMetadata(path, status);
	}

	#makeDirectory(path: Buffer): void {
		const isDirectory = this.to.statusIfExists(path)?.kind === "directory";
		const isOpaque = this.from.getAttribute(path, OPAQUE_ATTRIBUTE)?.toString() === "y";
		if (isDirectory && !isOpaque) return;
		this.to.removeAll(path);
		this.to.makeDirectory(path, 0o700);
	}

	#linkAgain(path: Buffer, status: FileStatus): boolean {
		if (status.linkCount < 2) return false;
		const first = this.#links.get(status.inode);
		if (first === undefined) this.#links.set(status.inode, path);
		else this.to.makeLink(first, path);
		return first !== undefined;
	}

	#make(path: Buffer, status: FileStatus): void {
		if (status.kind === "symlink") this.to.makeSymlink(this.from.readLink(path), path);
		else if (status.kind === "file") this.#copyFile(path, status);
		else if (status.kind !== "directory")
			this.to.makeNode(path, status.kind, status.permissions, status.deviceMajor, status.deviceMinor);
	}

	#copyFile(path: Buffer, status: FileStatus): void {
		const source = this.from.openFile(path, O.RDONLY | O.NOFOLLOW);
		try {
			const target = this.to.openFile(path, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
			try {
				copyContents(source, target, status.sizeBytes);
			} finally {
				closeDescriptor(target);
			}
		} finally {
			closeDescriptor(source);
		}
	}

	#copyMetadata(path: Buffer, status: FileStatus): void {
		this.to.changeOwner(path, status.uid, status.gid);
		if (status.kind !== "symlink") this.to.changePermissions(path, status.permissions);
		for (const name of this.#attributeNames(path)) {
			const value = name.startsWith("trusted.overlay.") ? undefined : this.from.getAttribute(path, name);
			if (value !== undefined) this.to.setAttribute(path, name, value);
		}
		this.to.setTimes(path, status.accessedNs, status.modifiedNs);
	}

	#attributeNames(path: Buffer): string[] {
		try {
			return this.from.listAttributes(path);
		} catch (error) {
			if (isErrno(error, "EOPNOTSUPP")) return [];
			throw error;
		}
	}
}

/** Shares blocks where the file system can; holes stay holes otherwise. */
function copyContents(source: number, target: number, sizeBytes: number): void {
	try {
		if (copyRange(source, target, sizeBytes) === sizeBytes) return;
	} catch (error) {
		if (!isErrno(error, "EXDEV", "EINVAL", "EOPNOTSUPP", "ENOSYS")) throw error;
	}
	const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
	for (const { offset, length } of dataRanges(source, sizeBytes)) {
		for (let done = 0; done < length; ) {
			const count = readSync(source, buffer, 0, Math.min(length - done, BUFFER_BYTES), offset + done);
			if (count === 0) return;
			for (let written = 0; written < count; )
				written += writeSync(target, buffer, written, count - written, offset + done + written);
			done += count;
		}
	}
}
