/**
 * Containers as overlay mounts:
 *
 *   <root>/containers/<id>/upper    the container's changes
 *   <root>/containers/<id>/work     overlayfs's own; a read-only snapshot has none, and its upper directory stays empty
 *   <root>/containers/<id>/merged   mount point
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, SystemError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type {
	ChainId,
	ContainerSnapshot,
	MountOptions,
	PreparedSnapshot,
	SnapshotIngest,
	SnapshotOptions,
	Snapshotter,
	SnapshotUsage,
} from "../../core/snapshot/snapshotter.ts";
import { unmountInBackground } from "../linux/background-unmount.ts";
import { mountFileSystem, unmountAll } from "../linux/mount.ts";
import { mountsUnder, readMountInfo } from "../linux/mountinfo.ts";
import { mountOverlay } from "../linux/overlay.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { ContainerDirectories } from "./container-directories.ts";
import { copyOwnership, LayerDirectories } from "./layer-directories.ts";
import { MountPointLayers, makeMountPoints } from "./mount-points.ts";
import { measureTree } from "./tree-usage.ts";

/**
 * Every change must lie in the upper directory, whole and under its own name, for `diff` and `commit` to find it: no metadata-only
 * copies, no redirects. Without an index, an upper directory may move to another file system and back.
 */
const OPTIONS = ["index=off", "metacopy=off", "redirect_dir=off", "xino=off"];

export class OverlaySnapshotter implements Snapshotter {
	readonly name = "overlay2";
	readonly #layers: LayerDirectories;
	readonly #containers: ContainerDirectories;
	readonly #mountPoints: MountPointLayers;
	/** By container: a mount must not take one for its own that is just going away. */
	readonly #mutex = new KeyedMutex();
	/** Mounted so by this process. */
	readonly #volatile = new Set<string>();
	/** Prepared so by this process, which does not keep them. */
	readonly #bare = new Set<string>();

	/** @param root created when missing; without symlinks in its path, as mounts are found again by it */
	constructor(readonly root: string) {
		this.#layers = new LayerDirectories(root);
		this.#containers = new ContainerDirectories(root);
		this.#mountPoints = new MountPointLayers(root);
	}

	has(chainId: ChainId): boolean {
		return this.#layers.has(chainId);
	}

	layerPath(chainId: ChainId): string {
		return this.#layers.path(chainId);
	}

	beginIngest(parent: ChainId | undefined): Promise<SnapshotIngest> {
		return this.#layers.beginIngest(parent);
	}

	stack(chainId: ChainId): string[] {
		return this.#layers.stack(chainId);
	}

	usage(chainId: ChainId): SnapshotUsage {
		return this.#layers.usage(chainId);
	}

	async removeLayer(chainId: ChainId): Promise<void> {
		await this.#layers.remove(chainId);
		await this.#mountPoints.remove(chainId);
	}

	layersInUse(): ReadonlySet<ChainId> {
		return this.#containers.layersInUse();
	}

	async prepare(
		containerId: string,
		parent: ChainId | undefined,
		{ readOnly = false, bare = false }: SnapshotOptions = {},
	): Promise<ContainerSnapshot> {
		const snapshot = this.#snapshot(containerId);
		if (this.#containers.has(containerId)) return snapshot;
		try {
			if (bare) this.#bare.add(containerId);
			else if (!readOnly) this.#mountPoints.ensure(parent, (directory) => this.#buildMountPoints(parent, directory));
			const [top] = this.#stack(parent);
			mkdirSync(snapshot.upperPath, { recursive: true, mode: 0o755 });
			if (!readOnly) mkdirSync(this.#workPath(containerId), { recursive: true, mode: 0o700 });
			mkdirSync(snapshot.mergedPath, { recursive: true, mode: 0o700 });
			// The merged root is the upper directory: it must look like the image's.
			if (top !== undefined) copyOwnership(top, snapshot.upperPath);
			this.#containers.register(containerId, parent);
		} catch (cause) {
			throw new SystemError(`failed to prepare a snapshot for ${containerId}: ${errorMessage(cause)}`, { cause });
		}
		return snapshot;
	}

	find(containerId: string): PreparedSnapshot {
		const parent = this.#containers.parent(containerId);
		const isPlain = this.#bare.has(containerId) || this.#isReadOnly(containerId);
		const lowerPaths = isPlain ? this.#stack(parent) : this.#lower(parent);
		return { ...this.#snapshot(containerId), parent, lowerPaths };
	}

	mount(containerId: string, { volatile = false }: MountOptions = {}): Promise<ContainerSnapshot> {
		return this.#mutex.run(containerId, () => {
			const snapshot = this.find(containerId);
			// Nothing to be merged.
			if (snapshot.lowerPaths.length === 0 && this.#bare.has(containerId))
				return { ...snapshot, mergedPath: snapshot.upperPath };
			if (isMounted(snapshot.mergedPath)) return snapshot;
			try {
				if (this.#isReadOnly(containerId)) {
					mountImage(snapshot);
					return snapshot;
				}
				mountOverlay(snapshot.mergedPath, {
					lower: snapshot.lowerPaths,
					upper: snapshot.upperPath,
					work: this.#workPath(containerId),
					options: volatile ? [...OPTIONS, "volatile"] : OPTIONS,
				});
				if (volatile) this.#volatile.add(containerId);
			} catch (cause) {
				throw new SystemError(`failed to mount the file system of ${containerId}: ${errorMessage(cause)}`, { cause });
			}
			return snapshot;
		});
	}

	unmount(containerId: string): Promise<void> {
		return this.#mutex.run(containerId, () => this.#unmount(containerId));
	}

	remove(containerId: string): Promise<void> {
		return this.#mutex.run(containerId, async () => {
			await this.#unmount(containerId);
			this.#bare.delete(containerId);
			this.#containers.forget(containerId);
			await this.#layers.discardContainer(this.#containers.path(containerId));
		});
	}

	commit(containerId: string, chainId: ChainId, usage: SnapshotUsage): Promise<void> {
		return this.#mutex.run(containerId, async () => {
			const { upperPath, parent } = this.find(containerId);
			await this.#unmount(containerId);
			this.#layers.adopt(upperPath, chainId, parent, usage);
			this.#bare.delete(containerId);
			this.#containers.forget(containerId);
			await this.#layers.discardContainer(this.#containers.path(containerId));
		});
	}

	startFlush(): void {
		this.#layers.startFlush();
	}

	flush(): Promise<void> {
		return this.#layers.flush();
	}

	containerUsage(containerId: string): Promise<SnapshotUsage> {
		return measureTree(this.find(containerId).upperPath);
	}

	async cleanUp(keep: {
		readonly layers: ReadonlySet<ChainId>;
		readonly containers: ReadonlySet<string>;
	}): Promise<void> {
		const strays = this.#containers.all().filter((id) => !keep.containers.has(id));
		const mounts = mountsUnder(readMountInfo(), join(this.root, "containers"));
		for (const { mountPoint } of mounts)
			if (strays.some((id) => mountPoint.startsWith(`${this.#containers.path(id)}/`))) unmountAll(mountPoint);
		for (const id of strays) await this.remove(id);
		for (const { mountPoint } of mountsUnder(readMountInfo(), join(this.root, "ingest"))) unmountAll(mountPoint);
		await this.#layers.cleanUp(keep.layers);
		await this.#mountPoints.cleanUp(keep.layers);
	}

	describe(containerId: string): Readonly<Record<string, string>> {
		const snapshot = this.find(containerId);
		return {
			LowerDir: snapshot.lowerPaths.join(":"),
			MergedDir: snapshot.mergedPath,
			UpperDir: snapshot.upperPath,
			WorkDir: this.#workPath(containerId),
		};
	}

	async #unmount(containerId: string): Promise<void> {
		const { mergedPath } = this.#snapshot(containerId);
		if (!isMounted(mergedPath)) return;
		// Without anything to write out it is over at once.
		if (this.#volatile.delete(containerId) || this.#isReadOnly(containerId)) unmountAll(mergedPath);
		else await unmountInBackground(mergedPath);
	}

	#snapshot(containerId: string): ContainerSnapshot {
		const directory = this.#containers.path(containerId);
		return { upperPath: join(directory, "upper"), mergedPath: join(directory, "merged"), isWholeTree: false };
	}

	#workPath(containerId: string): string {
		return join(this.#containers.path(containerId), "work");
	}

	#isReadOnly(containerId: string): boolean {
		return !existsSync(this.#workPath(containerId));
	}

	#stack(parent: ChainId | undefined): string[] {
		return parent === undefined ? [] : this.#layers.stack(parent);
	}

	#lower(parent: ChainId | undefined): string[] {
		return [this.#mountPoints.path(parent), ...this.#stack(parent)];
	}

	/** Through an overlay of the image, so that its own symlinks lead where they do in the container. */
	#buildMountPoints(parent: ChainId | undefined, upper: string): void {
		const [top] = this.#stack(parent);
		if (top === undefined) {
			using root = RootDirectory.open(upper);
			makeMountPoints(root);
			return;
		}
		copyOwnership(top, upper);
		const [work, merged] = [join(upper, "../work"), join(upper, "../merged")];
		for (const path of [work, merged]) mkdirSync(path, { mode: 0o700 });
		mountOverlay(merged, { lower: this.#stack(parent), upper, work, options: OPTIONS });
		try {
			using root = RootDirectory.open(merged);
			makeMountPoints(root);
		} finally {
			unmountAll(merged);
		}
	}
}

/** An overlay without an upper directory needs two layers at least: the empty directory is one. */
function mountImage({ upperPath, mergedPath, lowerPaths }: PreparedSnapshot): void {
	if (lowerPaths.length === 0) mountFileSystem("tmpfs", mergedPath, ["mode=755"], { readOnly: true });
	else mountOverlay(mergedPath, { lower: [upperPath, ...lowerPaths], attributes: { readOnly: true } });
}

/** A mount point has another device number than the directory it covers. */
function isMounted(path: string): boolean {
	const status = statSync(path, { throwIfNoEntry: false });
	return status !== undefined && status.dev !== statSync(join(path, "..")).dev;
}
