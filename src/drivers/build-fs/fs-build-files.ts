import { createHash } from "node:crypto";
import { closeSync, createReadStream, fchmodSync, fchownSync, fstatSync, readSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";
import { type Digest, sha256FromHex } from "../../base/digest.ts";
import {
	EngineError,
	errnoCode,
	errorMessage,
	InvalidParameterError,
	NotFoundError,
	SystemError,
} from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type {
	BuildFiles,
	CopyOptions,
	CopyTarget,
	FileSelection,
	MountPlace,
	WrittenFileOptions,
} from "../../core/build/build-directories.ts";
import type { TreeArchiver } from "../../core/diff/archiver.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { O } from "../linux/file-descriptors.ts";
import { resolveLinks } from "../linux/resolve-links.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { isArchive } from "./archive-magic.ts";
import { ContentDigests } from "./content-digests.ts";
import { mountStubs } from "./mount-stubs.ts";
import { PathFilter } from "./path-filter.ts";
import { SelectionDigest } from "./selection-digest.ts";
import { type SourceItem, sourceItems } from "./source-items.ts";
import { TreeCopier } from "./tree-copier.ts";

export interface BuildFilesDependencies {
	readonly archiver: TreeArchiver;
}

const ROOT = { uid: 0, gid: 0 };

/** Trees on the local file system, on the main thread in slices of a few milliseconds. */
export class FsBuildFiles implements BuildFiles {
	readonly #contents = new ContentDigests();

	constructor(readonly deps: BuildFilesDependencies) {}

	async digest(selection: FileSelection): Promise<Digest> {
		return await translated("read", async () => {
			using root = RootDirectory.open(selection.root);
			const filter = PathFilter.of(selection);
			return await new SelectionDigest(root, this.#contents, filter, selection.knownDigest).of(selection);
		});
	}

	async copy(selection: FileSelection, target: CopyTarget, destination: string, options: CopyOptions): Promise<void> {
		await translated("copy", async () => {
			using from = RootDirectory.open(selection.root);
			const filter = PathFilter.of(selection);
			const items = sourceItems(from, selection, (item) => filter?.skipsItem(item) === true);
			const copying = {
				...options,
				mayLink: selection.mayLink === true,
				hasAttributes: selection.knownDigest === undefined,
			};
			const copierTo = (to: RootDirectory, upper?: CopyTarget["upper"]) => {
				const { fresh, startFlush } = upper ?? {};
				return new TreeCopier(from, to, upper === undefined ? copying : { ...copying, fresh, startFlush }, filter);
			};
			if (await copyNewTree(items, target, destination, selection, copierTo)) return;
			using to = RootDirectory.open(target.root);
			const copier = new TreeCopier(from, to, { ...copying, mayLink: false }, filter);
			for (const item of items)
				if (options.unpack !== undefined && item.status.kind === "file" && isArchive(from, item.path))
					await this.#unpackInto(from, item.path, to, target.root, destination, options);
				else await copier.copy(item, { path: destination, parents: selection.parents });
		});
	}

	makeDirectory(targetRoot: string, path: string, owner: { uid: number; gid: number } | undefined): boolean {
		return translatedNow("make a directory", () => {
			using root = RootDirectory.open(targetRoot);
			// Where a symlink leads is made, too, when it is not there.
			const parts = resolveLinks(root, path).split("/").filter(Boolean);
			let made = false;
			for (let length = 1; length <= parts.length; length++) {
				const name = encodePath(parts.slice(0, length).join("/"));
				const status = root.statusIfExists(name);
				if (status !== undefined && status.kind !== "directory")
					throw new InvalidParameterError(`cannot mkdir: /${parts.slice(0, length).join("/")} is not a directory`);
				if (status !== undefined) continue;
				root.makeDirectory(name, 0o755);
				root.changePermissions(name, 0o755);
				if (owner !== undefined) root.changeOwner(name, owner.uid, owner.gid);
				made = true;
			}
			return made;
		});
	}

	writeFile(targetRoot: string, path: string, data: Uint8Array, options: WrittenFileOptions): void {
		translatedNow("write a file", () => {
			using root = RootDirectory.open(targetRoot);
			const real = placeOfFile(root, path, options.name);
			const { owner, madePermissions } = options;
			const copying = { owner, chmod: undefined, madePermissions, mayLink: false, hasAttributes: false };
			new TreeCopier(root, root, copying, undefined).makeParents(real);
			const name = encodePath(real);
			const there = root.statusIfExists(name);
			if (there?.kind === "directory")
				throw new InvalidParameterError(`cannot replace the directory /${real} by a file`);
			if (there !== undefined) root.unlink(name);
			const fd = root.openFile(name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
			try {
				for (let done = 0; done < data.length; ) done += writeSync(fd, data, done);
				fchownSync(fd, options.owner.uid, options.owner.gid);
				fchmodSync(fd, options.permissions);
			} finally {
				closeSync(fd);
			}
		});
	}

	async saveFile(
		targetRoot: string,
		path: string,
		data: Readable,
		{
			permissions,
			modifiedAt,
			signal,
		}: { readonly permissions: number; readonly modifiedAt: number; readonly signal: AbortSignal },
	): Promise<Digest> {
		return await translated("write a file", async () => {
			using root = RootDirectory.open(targetRoot);
			const name = encodePath(path);
			const hash = createHash("sha256");
			const fd = root.openFile(name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
			try {
				for await (const chunk of data) {
					signal.throwIfAborted();
					hash.update(chunk);
					for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
				}
				fchmodSync(fd, permissions);
			} finally {
				closeSync(fd);
				data.destroy();
			}
			const modifiedNs = BigInt(modifiedAt) * 1_000_000n;
			root.setTimes(name, modifiedNs, modifiedNs);
			return sha256FromHex(hash.digest("hex"));
		});
	}

	async limitTimes(rootPath: string, limitMs: number): Promise<void> {
		await translated("set times", async () => {
			using root = RootDirectory.open(rootPath);
			await limitTimesBelow(root, "", BigInt(limitMs) * 1_000_000n, new Pacer());
		});
	}

	changeMode(targetRoot: string, path: string, permissions: number): void {
		translatedNow("change permissions", () => {
			using root = RootDirectory.open(targetRoot);
			root.changePermissions(encodePath(path), permissions);
		});
	}

	async makeWhole(rootPath: string, name: string, make: (draft: string) => Promise<void> | void): Promise<void> {
		await translated("make a directory", async () => {
			using root = RootDirectory.open(rootPath);
			if (root.statusIfExists(name) !== undefined) return;
			const draft = `${name}.draft`;
			if (root.statusIfExists(draft) !== undefined) root.removeAll(draft);
			await make(draft);
			root.rename(draft, name);
		});
	}

	resolve(rootPath: string, path: string): string | undefined {
		return translatedNow("look up a file", () => {
			using root = RootDirectory.open(rootPath);
			const real = resolveLinks(root, path);
			if (real === "/") return rootPath;
			return root.statusIfExists(encodePath(real)) === undefined ? undefined : `${rootPath}${real}`;
		});
	}

	mountStubs(rootPath: string, places: readonly MountPlace[]): Disposable {
		return translatedNow("make a mount point", () => {
			const stubs = mountStubs(rootPath, places);
			const remove = () => stubs[Symbol.dispose]();
			return { [Symbol.dispose]: () => translatedNow("remove a mount point", remove) };
		});
	}

	readFile(rootPath: string, path: string, limitBytes: number): Uint8Array | undefined {
		return translatedNow("read a file", () => {
			using root = RootDirectory.open(rootPath);
			const fd = openIfThere(root, path);
			if (fd === undefined) return undefined;
			try {
				const status = fstatSync(fd);
				if (!status.isFile()) return undefined;
				if (status.size > limitBytes) throw new InvalidParameterError(`${path} is larger than ${limitBytes} bytes`);
				const buffer = Buffer.alloc(status.size);
				return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0));
			} finally {
				closeSync(fd);
			}
		});
	}

	list(rootPath: string, path: string): string[] {
		return translatedNow("read a directory", () => {
			using root = RootDirectory.open(rootPath);
			try {
				return root.readDirectory(encodePath(path)).map(decodePath).sort();
			} catch (error) {
				if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoCode(error) ?? "")) return [];
				throw error;
			}
		});
	}

	openFile(rootPath: string, path: string): Readable {
		return translatedNow("read a file", () => {
			using root = RootDirectory.open(rootPath);
			const fd = openIfThere(root, path);
			if (fd === undefined) throw new NotFoundError(`${path}: no such file or directory`);
			if (fstatSync(fd).isFile()) return createReadStream("", { fd, autoClose: true });
			closeSync(fd);
			throw new NotFoundError(`${path} is no regular file`);
		});
	}

	async unpack(archive: Readable, directory: string, signal: AbortSignal): Promise<ReadonlyMap<string, Digest>> {
		const digests = new Map<string, Digest>();
		const abort = () => void archive.destroy(new InvalidParameterError("build cancelled"));
		signal.addEventListener("abort", abort, { once: true });
		try {
			const options = { noOverwriteDirNonDir: false, copyUidGid: true, owner: ROOT, digests };
			await this.deps.archiver.write(directory, "/", archive, options);
			return digests;
		} finally {
			signal.removeEventListener("abort", abort);
		}
	}

	async #unpackInto(
		from: RootDirectory,
		path: string,
		to: RootDirectory,
		targetRoot: string,
		destination: string,
		options: CopyOptions,
	): Promise<void> {
		const base = resolveLinks(to, destination);
		this.makeDirectory(targetRoot, base, options.owner);
		const fd = from.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW);
		const tar = createReadStream("", { fd, autoClose: true });
		await this.deps.archiver.write(targetRoot, base, tar, {
			noOverwriteDirNonDir: false,
			copyUidGid: options.unpack?.owner !== undefined,
			owner: options.unpack?.owner,
		});
	}
}

/**
 * A directory that becomes a new one, or goes into an empty one: written past the overlay, which makes every file cost several times as much.
 * @returns whether it was one
 */
async function copyNewTree(
	[item, ...others]: readonly SourceItem[],
	{ root, upper }: CopyTarget,
	destination: string,
	{ parents }: FileSelection,
	copierTo: (to: RootDirectory, upper?: CopyTarget["upper"]) => TreeCopier,
): Promise<boolean> {
	if (item?.status.kind !== "directory" || others.length > 0 || upper === undefined || parents) return false;
	const place = emptyPlace(root, destination, copierTo);
	if (place === undefined) return false;
	await upper.detach();
	using to = RootDirectory.open(upper.path);
	if (place.isNew) to.removeDirectory(encodePath(place.path));
	await copierTo(to, upper).copy(item, { path: `/${place.path}`, parents: false });
	return true;
}

/**
 * Makes the directory through the overlay, so that its parents are in the upper one, or brings one there that is empty. Undefined when
 * there is something already.
 */
function emptyPlace(
	root: string,
	destination: string,
	copierTo: (to: RootDirectory) => TreeCopier,
): { readonly path: string; readonly isNew: boolean } | undefined {
	using merged = RootDirectory.open(root);
	const path = resolveLinks(merged, destination).slice(1);
	if (path === "") return undefined;
	const bytes = encodePath(path);
	const there = merged.statusIfExists(bytes);
	if (there === undefined) {
		copierTo(merged).makeParents(path);
		merged.makeDirectory(bytes, 0o755);
		return { path, isNew: true };
	}
	if (there.kind !== "directory" || merged.readDirectory(bytes).length > 0) return undefined;
	merged.changePermissions(bytes, there.permissions);
	return { path, isNew: false };
}

async function limitTimesBelow(root: RootDirectory, path: string, limitNs: bigint, pacer: Pacer): Promise<void> {
	const directory = encodePath(path === "" ? "." : path);
	for (const name of root.readDirectory(directory).map(decodePath)) {
		await pacer.pause();
		const child = path === "" ? name : `${path}/${name}`;
		const status = root.status(encodePath(child));
		if (status.kind === "directory") await limitTimesBelow(root, child, limitNs, pacer);
		else if (status.modifiedNs > limitNs) root.setTimes(encodePath(child), limitNs, limitNs);
	}
	if (root.status(directory).modifiedNs > limitNs) root.setTimes(directory, limitNs, limitNs);
}

/** As COPY finds it: through symlinks, and in a directory under its own name. */
function placeOfFile(root: RootDirectory, path: string, name: string | undefined): string {
	const base = resolveLinks(root, path).slice(1);
	if (name === undefined) return base;
	const isDirectory =
		path.endsWith("/") || root.statusIfExists(encodePath(base === "" ? "." : base))?.kind === "directory";
	if (!isDirectory) return base;
	return base === "" ? name : `${base}/${name}`;
}

function openIfThere(root: RootDirectory, path: string): number | undefined {
	try {
		return root.openFile(encodePath(path), O.RDONLY | O.NONBLOCK);
	} catch (error) {
		if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoCode(error) ?? "")) return undefined;
		throw error;
	}
}

async function translated<T>(what: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw asEngineError(what, error);
	}
}

function translatedNow<T>(what: string, work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw asEngineError(what, error);
	}
}

function asEngineError(what: string, error: unknown): unknown {
	if (error instanceof EngineError) return error;
	const message = `failed to ${what}: ${errorMessage(error)}`;
	return errnoCode(error) === "ENOTDIR" || errnoCode(error) === "ELOOP"
		? new InvalidParameterError(message, { cause: error })
		: new SystemError(message, { cause: error });
}
