/** One digest for what a selection copies: everything but times. */
import { createHash, type Hash } from "node:crypto";
import { type Digest, digestHex, sha256FromHex } from "../../base/digest.ts";
import { errnoCode } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { FileSelection } from "../../core/build/build-directories.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import type { FileStatus } from "../linux/file-status.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import type { ContentDigests } from "./content-digests.ts";
import type { PathFilter } from "./path-filter.ts";
import { type SourceItem, sourceItems } from "./source-items.ts";

export class SelectionDigest {
	readonly #hash: Hash = createHash("sha256");
	readonly #pacer = new Pacer();
	/** Inode -> first name, for files with several names. */
	readonly #links = new Map<bigint, string>();

	constructor(
		readonly root: RootDirectory,
		readonly contents: ContentDigests,
		readonly filter: PathFilter | undefined,
		readonly knownDigest: ((path: string) => Digest | undefined) | undefined,
	) {}

	/** @throws NotFoundError, ErrnoError */
	async of(selection: FileSelection): Promise<Digest> {
		const isLeftOut = (item: SourceItem) => this.filter?.skipsItem(item) === true;
		for (const item of sourceItems(this.root, selection, isLeftOut)) {
			if (isLeftOut(item)) continue;
			// The name of a directory does not count: its contents are copied.
			const name = item.status.kind === "directory" && !selection.parents ? "" : item.name;
			await this.#add(item.path, name, "", item.status);
		}
		return sha256FromHex(this.#hash.digest("hex"));
	}

	async #add(path: string, name: string, inside: string, status: FileStatus): Promise<void> {
		const bytes = encodePath(path === "" ? "." : path);
		const hashing = this.#entry(path, bytes, name, status);
		if (hashing !== undefined) await hashing;
		if (status.kind !== "directory") return;
		const children = this.root.readDirectory(bytes).map(decodePath).sort();
		for (const child of children) {
			if (this.#pacer.isDue) await this.#pacer.pause();
			const childPath = join(path, child);
			const childInside = join(inside, child);
			const childBytes = encodePath(childPath);
			const childStatus = this.root.statusIfExists(childBytes);
			if (childStatus === undefined) continue;
			const isDirectory = childStatus.kind === "directory";
			if (this.filter?.skips(childPath, childInside, isDirectory) === true) continue;
			const hashed = isDirectory
				? this.#add(childPath, join(name, child), childInside, childStatus)
				: this.#entry(childPath, childBytes, join(name, child), childStatus);
			if (hashed !== undefined) await hashed;
		}
	}

	/** One file, or a directory by itself. Promises are for contents that have to be read. */
	#entry(path: string, bytes: Uint8Array, name: string, status: FileStatus): void | Promise<void> {
		const contents = this.#contents(path, bytes, name, status);
		if (typeof contents === "string") return this.#hashEntry(bytes, name, status, contents);
		return contents.then((digest) => this.#hashEntry(bytes, name, status, digest));
	}

	#hashEntry(bytes: Uint8Array, name: string, status: FileStatus, contents: string): void {
		const { kind, permissions, uid, gid } = status;
		this.#hash.update(`${name}\0${kind}\0${permissions}\0${uid}\0${gid}\0${contents}\0`);
		this.#attributes(bytes, status);
	}

	#contents(path: string, bytes: Uint8Array, name: string, status: FileStatus): string | Promise<string> {
		switch (status.kind) {
			case "file": {
				const first = this.#firstName(name, status);
				if (first !== undefined) return `link ${first}`;
				const known = this.knownDigest?.(path);
				if (known !== undefined) return digestHex(known);
				return this.contents.of(this.root, bytes, status, () => this.#pacer.pause());
			}
			case "symlink":
				return this.root.readLink(bytes).toString("latin1");
			case "character-device":
			case "block-device":
				return `${status.deviceMajor}:${status.deviceMinor}`;
			default:
				return "";
		}
	}

	#firstName(name: string, status: FileStatus): string | undefined {
		if (status.linkCount < 2) return undefined;
		const first = this.#links.get(status.inode);
		if (first === undefined) this.#links.set(status.inode, name);
		return first;
	}

	#attributes(path: Uint8Array, status: FileStatus): void {
		// Contexts come without; looking costs as much as everything else.
		if (this.knownDigest !== undefined || (status.kind !== "file" && status.kind !== "directory")) return;
		for (const name of attributeNames(this.root, path).sort())
			this.#hash.update(`${name}\0`).update(this.root.getAttribute(path, name) ?? "");
	}
}

export function isCopiedAttribute(name: string): boolean {
	return /^(security\.capability$|user\.(?!overlay\.))/.test(name);
}

/** Those that are copied. */
export function attributeNames(root: RootDirectory, path: Uint8Array): string[] {
	try {
		return root.listAttributes(path).filter(isCopiedAttribute);
	} catch (error) {
		if (errnoCode(error) === "EOPNOTSUPP") return [];
		throw error;
	}
}

function join(parent: string, name: string): string {
	return parent === "" ? name : `${parent}/${name}`;
}
