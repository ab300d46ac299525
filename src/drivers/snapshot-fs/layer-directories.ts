/**
 * Unpacked layers as directories:
 *
 *   <root>/layers/<hex of the chain ID>/fs           the layer's own files, overlay whiteouts included
 *   <root>/layers/<hex of the chain ID>/layer.json   parent and usage
 *   <root>/ingest/<random>/fs                        being unpacked
 *   <root>/removed/<random>                          on its way out
 *
 * A layer appears by a rename when all of it is written, and disappears by a rename before anything in it is deleted. It is on the
 * disk after `flush`: what uses it comes later.
 */
import { randomBytes } from "node:crypto";
import {
	chmodSync,
	chownSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { digestHex, isDigest } from "../../base/digest.ts";
import { errnoCode, errorMessage, NotFoundError, SystemError } from "../../base/errors.ts";
import type { ChainId, SnapshotIngest, SnapshotUsage } from "../../core/snapshot/snapshotter.ts";
import { syncFileSystem, syncTrees } from "../linux/durability.ts";
import { spreadSubdirectories } from "../linux/inode-flags.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { isErrno } from "./is-errno.ts";
import { measureTree } from "./tree-usage.ts";

interface Layer {
	readonly parent: ChainId | undefined;
	readonly usage: SnapshotUsage;
}

export class LayerDirectories {
	readonly #layers = new Map<ChainId, Layer>();
	/** Perhaps not on the disk yet. */
	#unwritten = new Set<ChainId>();
	#flushing: Promise<void> = Promise.resolve();
	/** A flush that nobody waits for yet. */
	#early: Promise<void> | undefined;
	/** The kernel tells of what it could not write once: when an early flush is told, the next one passes it on. */
	#earlyFailure: unknown;

	/** @param root created when missing. @throws SystemError */
	constructor(readonly root: string) {
		for (const directory of ["layers", "ingest", "removed"])
			mkdirSync(join(root, directory), { recursive: true, mode: 0o700 });
		spreadSubdirectories(join(root, "ingest"));
		for (const name of readdirSync(join(root, "layers"))) {
			const chainId = `sha256:${name}`;
			const layer = isDigest(chainId) ? readLayer(join(root, "layers", name)) : undefined;
			if (layer !== undefined) this.#layers.set(chainId as ChainId, layer);
		}
	}

	has(chainId: ChainId): boolean {
		return this.#layers.has(chainId);
	}

	list(): ChainId[] {
		return [...this.#layers.keys()];
	}

	path(chainId: ChainId): string {
		this.#layer(chainId);
		return join(this.#directory(chainId), "fs");
	}

	usage(chainId: ChainId): SnapshotUsage {
		return this.#layer(chainId).usage;
	}

	parentOf(chainId: ChainId): ChainId | undefined {
		return this.#layer(chainId).parent;
	}

	/** Topmost first. */
	stack(chainId: ChainId): string[] {
		const paths: string[] = [];
		for (let current: ChainId | undefined = chainId; current !== undefined; current = this.#layer(current).parent)
			paths.push(join(this.#directory(current), "fs"));
		return paths;
	}

	async beginIngest(parent: ChainId | undefined): Promise<SnapshotIngest> {
		const directory = join(this.root, "ingest", randomBytes(12).toString("hex"));
		const path = join(directory, "fs");
		await mkdir(path, { recursive: true, mode: 0o755 });
		chmodSync(path, 0o755);
		// An archive need not name its root; then the parent layer's owner and permissions hold.
		if (parent !== undefined) copyOwnership(this.path(parent), path);
		let open = true;
		const abort = async () => {
			if (open) await this.#discard(directory);
			open = false;
		};
		return {
			path,
			abort,
			commit: async (chainId, layerParent, usage) => {
				// Layers are unpacked side by side: the parent may not have been there at the beginning.
				if (parent === undefined && layerParent !== undefined) copyOwnership(this.path(layerParent), path);
				if (!this.has(chainId)) await this.#publish(directory, chainId, layerParent, usage);
				await abort();
			},
		};
	}

	/** Makes a layer of a directory by moving it; nothing is written out before `flush`. */
	adopt(files: string, chainId: ChainId, parent: ChainId | undefined, usage: SnapshotUsage): void {
		if (this.has(chainId)) return;
		const directory = join(this.root, "ingest", randomBytes(12).toString("hex"));
		try {
			mkdirSync(directory, { mode: 0o755 });
			renameSync(files, join(directory, "fs"));
			writeFileSync(join(directory, "layer.json"), JSON.stringify({ parent: parent ?? null, usage }));
			renameSync(directory, this.#directory(chainId));
		} catch (cause) {
			throw new SystemError(`failed to store layer ${chainId}: ${errorMessage(cause)}`, { cause });
		}
		this.#layers.set(chainId, { parent, usage });
		this.#unwritten.add(chainId);
	}

	/** Starts a flush of the file system, unless one runs. */
	startFlush(): void {
		this.#early ??= syncFileSystem(join(this.root, "layers"))
			.catch((error: unknown) => {
				this.#earlyFailure = error;
			})
			.finally(() => {
				this.#early = undefined;
			});
	}

	/** One flush of the file system for all layers made since the last one. @throws SystemError */
	flush(): Promise<void> {
		// Whoever comes while one runs waits for it: its own layers may be among those.
		const flushed = this.#flushing.then(() => this.#flush());
		this.#flushing = flushed.catch(() => {});
		return flushed;
	}

	async #flush(): Promise<void> {
		await this.#early;
		const failure = this.#earlyFailure;
		this.#earlyFailure = undefined;
		if (failure !== undefined) throw failure;
		const unwritten = this.#unwritten;
		this.#unwritten = new Set();
		const layers = [...unwritten].filter((chainId) => this.has(chainId));
		if (layers.length === 0) return;
		try {
			const directories = layers.map((chainId) => this.#directory(chainId));
			await syncTrees(join(this.root, "layers"), directories);
		} catch (error) {
			for (const chainId of layers) this.#unwritten.add(chainId);
			// Removed while it was being written out: once more without it.
			if (isErrno(error, "ENOENT") && !layers.every((chainId) => this.has(chainId))) return await this.#flush();
			throw error;
		}
	}

	async remove(chainId: ChainId): Promise<void> {
		this.#layers.delete(chainId);
		await this.#discard(this.#directory(chainId));
	}

	/** Removes ingests, half-removed layers, and layers that are not in `keep`. */
	async cleanUp(keep: ReadonlySet<ChainId>): Promise<void> {
		for (const area of ["ingest", "removed"])
			for (const name of readdirSync(join(this.root, area))) await removeTree(join(this.root, area, name), this.root);
		for (const name of readdirSync(join(this.root, "layers"))) {
			const chainId = `sha256:${name}` as ChainId;
			if (!keep.has(chainId)) await this.remove(chainId);
		}
	}

	async discardContainer(directory: string): Promise<void> {
		await this.#discard(directory);
	}

	async #publish(
		directory: string,
		chainId: ChainId,
		parent: ChainId | undefined,
		usage: SnapshotUsage | undefined,
	): Promise<void> {
		const layer: Layer = { parent, usage: usage ?? (await measureTree(join(directory, "fs"))) };
		try {
			await writeFile(join(directory, "layer.json"), JSON.stringify({ parent: parent ?? null, usage: layer.usage }));
			await rename(directory, this.#directory(chainId));
		} catch (cause) {
			throw new SystemError(`failed to store layer ${chainId}: ${errorMessage(cause)}`, { cause });
		}
		this.#layers.set(chainId, layer);
		this.#unwritten.add(chainId);
	}

	/** Out of sight at once, then deleted. */
	async #discard(directory: string): Promise<void> {
		const target = join(this.root, "removed", `${basename(directory).slice(0, 32)}-${randomBytes(6).toString("hex")}`);
		try {
			await rename(directory, target);
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return;
			throw new SystemError(`failed to remove ${directory}: ${errorMessage(error)}`, { cause: error });
		}
		await removeTree(target, this.root);
	}

	#layer(chainId: ChainId): Layer {
		const layer = this.#layers.get(chainId);
		if (layer === undefined) throw new NotFoundError(`layer does not exist: ${chainId}`);
		return layer;
	}

	#directory(chainId: ChainId): string {
		return join(this.root, "layers", digestHex(chainId));
	}
}

/** Undefined for a directory that is no complete layer; `cleanUp` removes it. */
function readLayer(directory: string): Layer | undefined {
	try {
		const { parent, usage } = JSON.parse(readFileSync(join(directory, "layer.json"), "utf8"));
		return { parent: parent ?? undefined, usage };
	} catch (error) {
		if (errnoCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
		throw new SystemError(`failed to read layer ${directory}: ${errorMessage(error)}`, { cause: error });
	}
}

export function copyOwnership(from: string, to: string): void {
	const status = statSync(from);
	chownSync(to, status.uid, status.gid);
	chmodSync(to, status.mode & 0o7777);
}

/** The one recursive delete of this driver: refuses anything that is not below `root`. Does not follow symlinks. */
export async function removeTree(path: string, root: string): Promise<void> {
	checkBelow(path, root);
	try {
		await rm(path, { recursive: true, force: true });
	} catch (error) {
		removeDeepTree(path, root, error);
	}
}

/** Directories can be nested deeper than any path is long; then it goes by descriptors, at the price of a blocked event loop. */
function removeDeepTree(path: string, root: string, reason: unknown): void {
	try {
		using directory = RootDirectory.open(root);
		directory.removeAll(path.slice(root.length + 1));
	} catch (cause) {
		const message = `failed to remove ${path}: ${errorMessage(cause)} (at first: ${errorMessage(reason)})`;
		throw new SystemError(message, { cause });
	}
}

/** The same at once, for a handful of files. */
export function removeTreeNow(path: string, root: string): void {
	checkBelow(path, root);
	rmSync(path, { recursive: true, force: true });
}

function checkBelow(path: string, root: string): void {
	if (!path.startsWith(`${root}/`)) throw new SystemError(`refusing to remove ${path}, which is not below ${root}`);
}
