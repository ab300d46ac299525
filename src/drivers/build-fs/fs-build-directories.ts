/**
 * ```
 * <data-root>/build/cache/<record>/   cache mounts, contexts, downloads: kept between builds
 * <data-root>/build/tmp/<random>/     of builds under way
 * <data-root>/build/memory/<random>/  tmpfs mounts with secrets of steps that run
 * ```
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, statfsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode, errorMessage, invariant, SystemError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { BuildDirectories } from "../../core/build/build-directories.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { spreadSubdirectories } from "../linux/inode-flags.ts";
import { mountFileSystem, unmountAll } from "../linux/mount.ts";
import { RootDirectory } from "../linux/root-directory.ts";

export class FsBuildDirectories implements BuildDirectories {
	readonly #deletions = new Set<Promise<void>>();

	/** @param root created when missing */
	constructor(readonly root: string) {
		for (const area of ["cache", "tmp", "memory"]) mkdirSync(join(root, area), { recursive: true, mode: 0o711 });
		spreadSubdirectories(join(root, "tmp"));
	}

	keep(id: string): string {
		return this.#make(this.#kept(id));
	}

	async remove(id: string): Promise<void> {
		await this.#discard(this.#kept(id));
	}

	async sizeBytes(id: string): Promise<number> {
		return await measure(this.#kept(id));
	}

	temporary(): string {
		return this.#make(join(this.root, "tmp", randomBytes(12).toString("hex")));
	}

	async removeTemporary(path: string): Promise<void> {
		invariant(path.startsWith(`${join(this.root, "tmp")}/`), "only a temporary directory is removed");
		const target = this.#putAway(path);
		if (target === undefined) return;
		// What cannot be deleted now is tried again at the next start.
		const deletion = this.#delete(target)
			.catch(() => undefined)
			.finally(() => this.#deletions.delete(deletion));
		this.#deletions.add(deletion);
	}

	async settled(): Promise<void> {
		await Promise.all(this.#deletions);
	}

	memory(): string {
		const path = this.#make(join(this.root, "memory", randomBytes(12).toString("hex")));
		try {
			mountFileSystem("tmpfs", path, ["size=1m", "mode=700"], { noSuid: true, noDev: true });
			return path;
		} catch (cause) {
			rmdirSync(path);
			throw new SystemError(`cannot make a place for secrets: ${errorMessage(cause)}`, { cause });
		}
	}

	removeMemory(path: string): void {
		invariant(path.startsWith(`${join(this.root, "memory")}/`), "only a place for secrets is removed");
		unmountAll(path);
		if (existsSync(path)) rmdirSync(path);
	}

	freeBytes(): number {
		const { bavail, bsize } = statfsSync(this.root);
		return bavail * bsize;
	}

	totalBytes(): number {
		const { blocks, bsize } = statfsSync(this.root);
		return blocks * bsize;
	}

	async cleanUp(keep: ReadonlySet<string>): Promise<void> {
		for (const name of readdirSync(join(this.root, "memory"))) this.removeMemory(join(this.root, "memory", name));
		for (const name of readdirSync(join(this.root, "tmp"))) await this.#delete(join(this.root, "tmp", name));
		for (const name of readdirSync(join(this.root, "cache"))) if (!keep.has(name)) await this.remove(name);
	}

	#kept(id: string): string {
		invariant(/^[a-z0-9]+$/.test(id), `${id} is no record of the build cache`);
		return join(this.root, "cache", id);
	}

	#make(path: string): string {
		try {
			mkdirSync(path, { recursive: true, mode: 0o755 });
			return path;
		} catch (cause) {
			throw new SystemError(`cannot make a directory for the build: ${errorMessage(cause)}`, { cause });
		}
	}

	async #discard(path: string): Promise<void> {
		const target = this.#putAway(path);
		if (target !== undefined) await this.#delete(target);
	}

	/** Undefined when there is nothing. */
	#putAway(path: string): string | undefined {
		const target = join(this.root, "tmp", `removed-${randomBytes(12).toString("hex")}`);
		try {
			renameSync(path, target);
		} catch (cause) {
			if (errnoCode(cause) === "ENOENT") return undefined;
			throw new SystemError(`cannot remove ${path}: ${errorMessage(cause)}`, { cause });
		}
		return target;
	}

	async #delete(path: string): Promise<void> {
		try {
			await rm(path, { recursive: true, force: true });
		} catch {
			// Nested deeper than any path is long: by descriptors.
			using root = RootDirectory.open(this.root);
			root.removeAll(path.slice(this.root.length + 1));
		}
	}
}

/** Apparent sizes; a tree that changes meanwhile is measured as it comes. */
async function measure(directory: string): Promise<number> {
	if (!existsSync(directory)) return 0;
	using root = RootDirectory.open(directory);
	const pacer = new Pacer();
	const pending = [""];
	let bytes = 0;
	for (let path = pending.pop(); path !== undefined; path = pending.pop())
		for (const name of namesIn(root, path)) {
			if (pacer.isDue) await pacer.pause();
			const child = path === "" ? name : `${path}/${name}`;
			const status = existing(() => root.statusIfExists(encodePath(child)));
			if (status?.kind === "directory") pending.push(child);
			else bytes += status?.sizeBytes ?? 0;
		}
	return bytes;
}

function namesIn(root: RootDirectory, path: string): string[] {
	return existing(() => root.readDirectory(encodePath(path === "" ? "." : path)).map(decodePath)) ?? [];
}

/** Undefined for what is gone, or lies too deep to be named. */
function existing<T>(look: () => T): T | undefined {
	try {
		return look();
	} catch (error) {
		if (!["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errnoCode(error) ?? "")) throw error;
		return undefined;
	}
}
