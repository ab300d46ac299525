/**
 * Unpacks a layer: whiteouts become overlayfs's, and every byte that the files themselves will not give back goes into the
 * re-assembly record. A file that a later member of the same archive replaces moves to `<directory>/../displaced/<number>`.
 */
import { mkdirSync, readlinkSync, realpathSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { joinPath, parentOf } from "../../core/diff/archive-path.ts";
import { AssemblyWriter } from "../../core/diff/assembly.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import type { TarEntry } from "../../core/diff/tar-entry.ts";
import { parseWhiteout } from "../../core/diff/whiteout.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import type { FileStatus } from "../linux/file-status.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { isErrno } from "./archive-error.ts";
import { TreeWriter } from "./tree-writer.ts";

export const OPAQUE_ATTRIBUTE = "trusted.overlay.opaque";
const OPAQUE_VALUE = Buffer.from("y");

export class LayerWriter extends TreeWriter {
	readonly assembly = new AssemblyWriter();
	readonly #directory: string;
	/** Members with contents so far. */
	#count = 0;
	/** Real path -> number of the member whose contents lie there. */
	readonly #numbers = new Map<string, number>();
	/** Real paths of the symlinks made; members may go through them. */
	readonly #symlinks = new Set<string>();
	readonly #whiteouts = new Set<string>();
	#lastParent: { readonly given: string; readonly real: string } | undefined;

	static open(directory: string): LayerWriter {
		return new LayerWriter(RootDirectory.open(directory), realpathSync(directory));
	}

	private constructor(root: RootDirectory, directory: string) {
		super(root);
		this.#directory = directory;
	}

	raw(bytes: Uint8Array): void {
		this.assembly.raw(bytes);
	}

	override close(): void {
		super.close();
		this.root.close();
	}

	protected override place(entry: TarEntry, path: string, name: string): void {
		const whiteout = parseWhiteout(path);
		if (whiteout.kind === "none") super.place(entry, path, name);
		else if (whiteout.kind === "removed") this.#placeWhiteout(entry, whiteout.path);
		else if (whiteout.kind === "opaque") this.#makeOpaque(whiteout.path);
		if (entry.type !== "file" || entry.sizeBytes === 0) return;
		if (whiteout.kind === "none") this.#recordContents(entry, path);
	}

	override data(chunk: Uint8Array, offset: number): void {
		// Contents of members that are not unpacked (an AUFS file with something in it) are kept in the record.
		if (!this.isWriting) this.assembly.raw(chunk);
		else super.data(chunk, offset);
	}

	protected override placed(entry: TarEntry, path: string): void {
		if (entry.type === "symlink") {
			this.#symlinks.add(this.#realPath(path));
			this.#lastParent = undefined;
		}
		// A whiteout earlier in the archive, and now a directory of that name: nothing of the lower one shows through.
		if (entry.type === "directory" && this.#whiteouts.delete(this.#realPath(path))) this.#makeOpaque(path);
	}

	protected override displace(path: string, status: FileStatus): void {
		this.#lastParent = undefined;
		this.#saveContents(this.#realPath(path), status.kind);
		super.displace(path, status);
	}

	#recordContents(entry: TarEntry, path: string): void {
		const number = this.#count++;
		const real = this.#realPath(path);
		this.#numbers.set(real, number);
		const ranges = entry.sparse ?? [{ offset: 0, length: entry.sizeBytes }];
		for (const { offset, length } of ranges) this.assembly.file({ number, path: real, offset, length });
	}

	/** Moves files that the record refers to out of what is about to be removed. */
	#saveContents(path: string, kind: FileStatus["kind"]): void {
		if (kind === "directory") {
			for (const name of this.root.readDirectory(encodePath(path))) {
				const child = joinPath(path, decodePath(name));
				this.#saveContents(child, this.root.status(encodePath(child)).kind);
			}
			return;
		}
		const number = this.#numbers.get(path);
		if (number === undefined) return;
		this.#numbers.delete(path);
		const displaced = join(dirname(this.#directory), "displaced");
		mkdirSync(displaced, { recursive: true, mode: 0o700 });
		renameSync(Buffer.concat([Buffer.from(`${this.#directory}/`), encodePath(path)]), join(displaced, String(number)));
	}

	/** A whiteout speaks of lower layers: what this layer itself put there stays. */
	#placeWhiteout(entry: TarEntry, path: string): void {
		const bytes = encodePath(path);
		const existing = this.root.statusIfExists(bytes);
		if (existing?.kind === "directory") this.#makeOpaque(path);
		if (existing !== undefined) return;
		this.inodes += this.root.makeDirectories(encodePath(parentOf(path))) ? 1 : 0;
		this.root.makeNode(bytes, "character-device", 0);
		this.root.changeOwner(bytes, entry.uid, entry.gid);
		this.#whiteouts.add(this.#realPath(path));
		this.inodes++;
	}

	#makeOpaque(path: string): void {
		this.root.makeDirectories(encodePath(path));
		this.root.setAttribute(encodePath(path === "" ? "." : path), OPAQUE_ATTRIBUTE, OPAQUE_VALUE);
	}

	/** The path without symlinks in its parents. The last name is never followed. */
	#realPath(path: string): string {
		const parent = parentOf(path);
		if (this.#lastParent?.given !== parent) this.#lastParent = { given: parent, real: this.#realParent(parent) };
		return joinPath(this.#lastParent.real, path.slice(parent === "" ? 0 : parent.length + 1));
	}

	#realParent(parent: string): string {
		let passes = false;
		for (let slash = parent.length; slash > 0; slash = parent.lastIndexOf("/", slash - 1))
			passes ||= this.#symlinks.has(parent.slice(0, slash));
		if (!passes) return parent;
		const fd = this.root.openFile(encodePath(parent), O.PATH | O.DIRECTORY);
		try {
			const target = readlinkSync(RootDirectory.pathOf(fd), { encoding: "buffer" });
			return decodePath(target.subarray(Buffer.byteLength(this.#directory) + 1));
		} catch (error) {
			if (isErrno(error, "ENOENT")) return parent;
			throw error;
		} finally {
			closeDescriptor(fd);
		}
	}
}
