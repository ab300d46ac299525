import { createHash, type Hash } from "node:crypto";
import { fchmodSync, fstatSync, ftruncateSync, write, writeSync } from "node:fs";
import { promisify } from "node:util";
import { sha256FromHex } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ContentHead, ContentReceiver, ContentVerdict } from "../../core/build/context-contents.ts";
import type { KeptEntry } from "../../core/build/context-copy.ts";
import type { ContextEntry } from "../../core/build/context-listing.ts";
import { type ContextPlan, isSameStamp } from "../../core/build/context-plan.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import { setFileTimes } from "../linux/file-times.ts";
import { permissionsWhenMade, type RootDirectory } from "../linux/root-directory.ts";

/** Files larger than this are written off the main thread: a full page cache makes their writer wait. */
const SMALL_BYTES = 256 * 1024;

const writeAsync = promisify(write);

interface Existing {
	readonly sizeBytes: number;
	readonly permissions: number;
}

interface OpenFile {
	readonly entry: ContextEntry;
	readonly head: ContentHead;
	readonly fd: number;
	/** What the file that is written over has; undefined for a new one. */
	readonly before: Existing | undefined;
	readonly hash: Hash;
	position: number;
}

export interface ReceiverOptions {
	readonly listed: readonly ContextEntry[];
	readonly plan: Pick<ContextPlan, "wanted">;
	/** Gets the files that have arrived whole, and loses those that are being replaced. */
	readonly present: Map<string, KeptEntry>;
}

/** Writes the files that were asked for as they come. */
export class FileReceiver implements ContentReceiver {
	readonly #missing: Set<number>;
	#file: OpenFile | undefined;
	receivedBytes = 0;
	/** Whether every file had the stamp of the listing, and one that can be relied upon. */
	isExact = true;

	constructor(
		private readonly root: RootDirectory,
		private readonly options: ReceiverOptions,
	) {
		this.#missing = new Set(options.plan.wanted);
	}

	/** @throws InvalidParameterError for a file that nobody asked for */
	begin(head: ContentHead): void {
		const entry = this.options.listed[head.position];
		if (entry === undefined || !this.#missing.has(head.position))
			throw new InvalidParameterError("the client sent a file of the build context that was not asked for");
		const isKnown = this.options.present.delete(entry.path);
		const existing = isKnown ? this.#openExisting(entry.path) : undefined;
		const fd =
			existing?.fd ??
			this.root.openFile(entry.path, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, head.permissions & 0o777);
		this.#file = { entry, head, fd, before: existing, hash: createHash("sha256"), position: 0 };
	}

	data(bytes: Uint8Array): void | Promise<void> {
		const file = this.#open();
		file.hash.update(bytes);
		this.receivedBytes += bytes.length;
		if (file.head.sizeBytes > SMALL_BYTES) return writeAll(file, bytes);
		for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at, bytes.length - at, file.position + at);
		file.position += bytes.length;
		return undefined;
	}

	end(verdict: ContentVerdict): void {
		const file = this.#open();
		const { entry, head, hash, fd } = file;
		const { path } = entry;
		// What fails in it is removed by `close`.
		if (verdict !== "changed") settle(file);
		this.#file = undefined;
		closeDescriptor(fd);
		if (verdict === "changed") {
			this.root.unlink(path);
			return;
		}
		if (verdict === "recent" || !isSameStamp(head, entry) || head.permissions !== entry.permissions)
			this.isExact = false;
		const { sizeBytes, modifiedNs, permissions } = head;
		const stamp =
			verdict === "recent" ? { changedNs: 0n, inode: 0n } : { changedNs: head.changedNs, inode: head.inode };
		this.options.present.set(path, {
			...entry,
			sizeBytes,
			modifiedNs,
			permissions,
			...stamp,
			digest: sha256FromHex(hash.digest("hex")),
		});
		this.#missing.delete(head.position);
	}

	/** @throws InvalidParameterError when the client did not send all */
	checkComplete(): void {
		const [first] = this.#missing;
		if (first === undefined) return;
		throw new InvalidParameterError(`the client did not send ${this.options.listed[first]?.path} of the build context`);
	}

	/** Removes what came of a file that did not arrive whole. */
	close(): void {
		const file = this.#file;
		if (file === undefined) return;
		this.#file = undefined;
		closeDescriptor(file.fd);
		this.root.removeAll(file.entry.path);
	}

	/**
	 * A file to be written in place: ext4 is slow to make files where as many were just removed. It is cut at the end, since ext4 writes a file
	 * that was emptied to the disk when it is closed. Undefined for one that somebody else has a link to: that is removed instead.
	 */
	#openExisting(path: string): (Existing & { readonly fd: number }) | undefined {
		const fd = this.root.openFile(path, O.WRONLY | O.NOFOLLOW);
		const { nlink, size, mode } = fstatSync(fd);
		if (nlink === 1) return { fd, sizeBytes: size, permissions: mode & 0o7777 };
		closeDescriptor(fd);
		this.root.unlink(path);
		return undefined;
	}

	#open(): OpenFile {
		if (this.#file === undefined) throw new InvalidParameterError("malformed contents of a build context");
		return this.#file;
	}
}

/** Gives the file the size, permissions and times that it is to have. */
function settle({
	fd,
	head,
	before = { sizeBytes: 0, permissions: permissionsWhenMade(head.permissions) },
}: OpenFile): void {
	if (before.sizeBytes > head.sizeBytes) ftruncateSync(fd, head.sizeBytes);
	// Writing takes away the bits of set-user-ID and set-group-ID.
	if (before.permissions !== head.permissions || (head.permissions & 0o6000) !== 0) fchmodSync(fd, head.permissions);
	setFileTimes(fd, head.modifiedNs, head.modifiedNs);
}

async function writeAll(file: OpenFile, bytes: Uint8Array): Promise<void> {
	for (let at = 0; at < bytes.length; ) {
		const { bytesWritten } = await writeAsync(file.fd, bytes, at, bytes.length - at, file.position);
		at += bytesWritten;
		file.position += bytesWritten;
	}
}
