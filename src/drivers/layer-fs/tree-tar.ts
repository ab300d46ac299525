/** Members of a tar made from files in a tree. Times are whole seconds and owners numbers, as in Docker's archives. */

import { readSync } from "node:fs";
import { SystemError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import { joinPath } from "../../core/diff/archive-path.ts";
import type { FreshFiles } from "../../core/diff/fresh-files.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { TAR_BLOCK_BYTES, type TarEntry, type TarEntryType, tarEntry } from "../../core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../core/diff/tar-writer.ts";
import { getFileAttribute, listFileAttributes } from "../linux/file-attributes.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import { type FileKind, type FileStatus, statusAt } from "../linux/file-status.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import { isErrno, memberError } from "./archive-error.ts";
import { ChunkBuffer } from "./chunk-buffer.ts";
import { fileChunks } from "./file-chunks.ts";
import { isKernelMount } from "./kernel-mounts.ts";

const TYPES: Readonly<Record<Exclude<FileKind, "socket">, TarEntryType>> = {
	file: "file",
	directory: "directory",
	symlink: "symlink",
	"character-device": "character-device",
	"block-device": "block-device",
	fifo: "fifo",
};
const KEPT_ATTRIBUTE = /^(security\.capability$|user\.(?!overlay\.))/;
/** With the lists of access control: for archives that are to bring everything back. */
const EVERY_ATTRIBUTE = /^(security\.capability$|user\.(?!overlay\.)|system\.posix_acl_)/;
const NO_ATTRIBUTES: ReadonlyMap<string, Uint8Array> = new Map();
const NS = 1_000_000_000n;
const BUFFER_BYTES = 1 << 17;

/** Of a member without contents that exists in the archive only. */
export function markerHeader(name: string, modifiedNs: bigint): Uint8Array {
	return formatTarHeader(tarEntry({ name, type: "file", mode: 0, modifiedNs }));
}

export class TreeTar {
	readonly #chunks = new ChunkBuffer();
	readonly #pacer = new Pacer();
	readonly #buffer = new Uint8Array(BUFFER_BYTES);
	/** Of a member whose bytes nobody keeps. */
	readonly #header = Buffer.alloc(TAR_BLOCK_BYTES);
	/** `device inode` of files with several links -> name of the first member. */
	readonly #links = new Map<string, string>();

	/**
	 * @param options `exact`: times to the nanosecond, and lists of access control, which Docker's archives do not have. `fresh`: what need
	 * not be read again; heard by `consume` alone
	 */
	constructor(
		readonly root: RootDirectory,
		readonly options: { readonly exact?: boolean; readonly fresh?: FreshFiles | undefined } = {},
	) {}

	/** The file or directory at `path`, as `name`, with everything below it, sorted. */
	async *tree(path: string, name: string): AsyncGenerator<Uint8Array> {
		const status = this.#statusIfThere(path);
		if (status === undefined) return;
		yield* this.top(path, name, status);
	}

	/** The same for what was found already. Of a running container's `/proc`, `/sys` and `/dev` it gives the directories alone. */
	async *top(path: string, name: string, status: FileStatus): AsyncGenerator<Uint8Array> {
		yield* this.member(path, name, status);
		if (status.kind === "directory" && !isKernelMount(this.root, path, status)) yield* this.contents(path, name);
	}

	/** Everything below the directory at `path`; names get `name` in front. */
	async *contents(path: string, name: string): AsyncGenerator<Uint8Array> {
		for (const child of this.#children(path))
			yield* this.tree(
				joinPath(path, child),
				name === "" || name.endsWith("/") ? `${name}${child}` : `${name}/${child}`,
			);
	}

	/** One member without what is below it. Sockets are left out, and so is what vanished meanwhile. */
	async *member(path: string, name: string, status: FileStatus): AsyncGenerator<Uint8Array> {
		await this.#pacer.pause();
		if (status.kind === "socket") return;
		try {
			if (status.kind !== "file") yield* this.#chunks.add(formatTarHeader(this.#entry(path, name, status)));
			else yield* this.#file(path, name, status);
		} catch (error) {
			if (!isErrno(error, "ENOENT")) throw memberError("read", path, error);
		}
	}

	/** The same bytes as of `member`, to somebody who takes them at once and keeps none. Promises are for large files alone. */
	consume(path: string, name: string, status: FileStatus, take: (bytes: Uint8Array) => void): void | Promise<void> {
		if (status.kind === "socket") return undefined;
		try {
			if (status.kind === "file") return this.#consumeFile(path, name, status, take);
			take(formatTarHeader(this.#entry(path, name, status)));
		} catch (error) {
			if (!isErrno(error, "ENOENT")) throw memberError("read", path, error);
		}
		return undefined;
	}

	#consumeFile(
		path: string,
		name: string,
		status: FileStatus,
		take: (bytes: Uint8Array) => void,
	): void | Promise<void> {
		const first = this.#firstLink(name, status);
		if (first !== undefined) {
			const entry = this.#entry(path, name, status);
			take(formatTarHeader({ ...entry, type: "hard-link", linkName: first, sizeBytes: 0 }));
			return undefined;
		}
		if (status.sizeBytes === 0) {
			take(formatTarHeader(this.#entry(path, name, status)));
			return undefined;
		}
		const contents = this.options.fresh?.contents(path, status.sizeBytes);
		if (contents !== undefined) {
			take(formatTarHeader(this.#entry(path, name, status, NO_ATTRIBUTES), this.#header.fill(0)));
			take(contents);
			take(tarPadding(status.sizeBytes));
			return undefined;
		}
		const fd = this.root.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
		let isLarge = false;
		try {
			take(formatTarHeader(this.#entry(path, name, status, this.#attributesOf(fd)), this.#header.fill(0)));
			isLarge = status.sizeBytes > BUFFER_BYTES;
			if (isLarge) return this.#consumeLarge(fd, path, status.sizeBytes, take);
			for (let offset = 0; offset < status.sizeBytes; )
				offset += this.#consumePiece(fd, path, offset, status.sizeBytes, take);
			take(tarPadding(status.sizeBytes));
		} finally {
			if (!isLarge) closeDescriptor(fd);
		}
		return undefined;
	}

	/** Closes the file. */
	async #consumeLarge(fd: number, path: string, sizeBytes: number, take: (bytes: Uint8Array) => void): Promise<void> {
		try {
			for (let offset = 0; offset < sizeBytes; ) {
				offset += this.#consumePiece(fd, path, offset, sizeBytes, take);
				await this.#pacer.pause();
			}
			take(tarPadding(sizeBytes));
		} catch (error) {
			throw memberError("read", path, error);
		} finally {
			closeDescriptor(fd);
		}
	}

	/** @returns how many bytes it was */
	#consumePiece(
		fd: number,
		path: string,
		offset: number,
		sizeBytes: number,
		take: (bytes: Uint8Array) => void,
	): number {
		const count = readSync(fd, this.#buffer, 0, Math.min(BUFFER_BYTES, sizeBytes - offset), offset);
		if (count === 0) throw new SystemError(`${path} became shorter while it was read`);
		take(this.#buffer.subarray(0, count));
		return count;
	}

	/** A member without contents that exists in the archive only. */
	*marker(name: string, modifiedNs: bigint): Generator<Uint8Array> {
		yield* this.#chunks.add(markerHeader(name, modifiedNs));
	}

	*finish(): Generator<Uint8Array> {
		yield* this.#chunks.add(TAR_END);
		yield* this.flush();
	}

	/** What is still held back, where more follows from elsewhere. */
	*flush(): Generator<Uint8Array> {
		yield* this.#chunks.flush();
	}

	async *#file(path: string, name: string, status: FileStatus): AsyncGenerator<Uint8Array> {
		const first = this.#firstLink(name, status);
		if (first !== undefined) {
			const link: TarEntry = { ...this.#entry(path, name, status), type: "hard-link", linkName: first, sizeBytes: 0 };
			yield* this.#chunks.add(formatTarHeader(link));
			return;
		}
		const fd = this.root.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
		try {
			const opened = statusAt(fd, "");
			if (opened.kind !== "file") return;
			yield* this.#chunks.add(formatTarHeader(this.#entry(path, name, opened, this.#attributesOf(fd))));
			// Someone may cut the file while it is read: the archive must stay well-formed.
			for await (const chunk of fileChunks(fd, 0, opened.sizeBytes, { pad: true })) yield* this.#chunks.add(chunk);
			yield* this.#chunks.add(tarPadding(opened.sizeBytes));
		} finally {
			closeDescriptor(fd);
		}
	}

	#firstLink(name: string, status: FileStatus): string | undefined {
		if (status.linkCount < 2) return undefined;
		const key = `${status.device} ${status.inode}`;
		const first = this.#links.get(key);
		if (first === undefined) this.#links.set(key, name);
		return first;
	}

	/** @param attributes of a file that is open anyway: asking it is quicker than asking a path */
	#entry(path: string, name: string, status: FileStatus, attributes = this.#attributes(path, status)): TarEntry {
		const isDirectory = status.kind === "directory";
		return {
			name: isDirectory && !name.endsWith("/") ? `${name}/` : name,
			type: status.kind === "socket" ? "file" : TYPES[status.kind],
			linkName: status.kind === "symlink" ? decodePath(this.root.readLink(encodePath(path))) : "",
			mode: status.permissions,
			uid: status.uid,
			gid: status.gid,
			userName: "",
			groupName: "",
			sizeBytes: status.kind === "file" ? status.sizeBytes : 0,
			modifiedNs: this.options.exact === true ? status.modifiedNs : (status.modifiedNs / NS) * NS,
			deviceMajor: status.deviceMajor,
			deviceMinor: status.deviceMinor,
			attributes,
		};
	}

	#attributes(path: string, status: FileStatus): ReadonlyMap<string, Uint8Array> {
		const attributes = new Map<string, Uint8Array>();
		if (status.kind !== "file" && status.kind !== "directory") return attributes;
		const bytes = encodePath(path === "" ? "." : path);
		const kept = this.options.exact === true ? EVERY_ATTRIBUTE : KEPT_ATTRIBUTE;
		for (const name of this.#attributeNames(bytes)) {
			const value = kept.test(name) ? this.root.getAttribute(bytes, name) : undefined;
			if (value !== undefined) attributes.set(name, value);
		}
		return attributes;
	}

	#attributesOf(fd: number): ReadonlyMap<string, Uint8Array> {
		const names = listFileAttributes(fd);
		if (names.length === 0) return NO_ATTRIBUTES;
		const kept = this.options.exact === true ? EVERY_ATTRIBUTE : KEPT_ATTRIBUTE;
		return new Map(
			names.flatMap((name): [string, Uint8Array][] => {
				const value = kept.test(name) ? getFileAttribute(fd, name) : undefined;
				return value === undefined ? [] : [[name, value]];
			}),
		);
	}

	#attributeNames(path: Uint8Array): string[] {
		try {
			return this.root.listAttributes(path);
		} catch (error) {
			if (isErrno(error, "EOPNOTSUPP")) return [];
			throw error;
		}
	}

	#children(path: string): string[] {
		try {
			return this.root.readDirectory(encodePath(path)).sort(Buffer.compare).map(decodePath);
		} catch (error) {
			if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
			throw memberError("read", path, error);
		}
	}

	#statusIfThere(path: string): FileStatus | undefined {
		return this.root.statusIfExists(encodePath(path === "" ? "." : path));
	}
}
