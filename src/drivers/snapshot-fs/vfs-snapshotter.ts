/**
 * Containers as copies, for data roots that cannot hold an overlay's upper directory. Layers are kept as for overlays.
 *
 *   <root>/containers/<id>/tree    the whole file system
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type {
	ChainId,
	ContainerSnapshot,
	PreparedSnapshot,
	SnapshotIngest,
	Snapshotter,
	SnapshotUsage,
} from "../../core/snapshot/snapshotter.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { ContainerDirectories } from "./container-directories.ts";
import { LayerCopier } from "./copy-tree.ts";
import { copyOwnership, LayerDirectories, removeTree } from "./layer-directories.ts";
import { MountPointLayers, makeMountPoints } from "./mount-points.ts";
import { measureTree } from "./tree-usage.ts";

export class VfsSnapshotter implements Snapshotter {
	readonly name = "vfs";
	readonly #layers: LayerDirectories;
	readonly #containers: ContainerDirectories;
	readonly #mountPoints: MountPointLayers;

	/** @param root created when missing */
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
		{ readOnly = false }: { readonly readOnly?: boolean } = {},
	): Promise<ContainerSnapshot> {
		const snapshot = this.#snapshot(containerId);
		if (this.#containers.has(containerId)) return snapshot;
		try {
			// What an earlier attempt copied may be incomplete.
			await removeTree(snapshot.upperPath, this.root);
			mkdirSync(snapshot.upperPath, { recursive: true, mode: 0o755 });
			await this.#fill(snapshot.upperPath, parent, readOnly);
			this.#containers.register(containerId, parent);
		} catch (cause) {
			throw new SystemError(`failed to prepare a snapshot for ${containerId}: ${errorMessage(cause)}`, { cause });
		}
		return snapshot;
	}

	find(containerId: string): PreparedSnapshot {
		const parent = this.#containers.parent(containerId);
		const lowerPaths = [this.#mountPoints.path(parent), ...this.#stack(parent)];
		return { ...this.#snapshot(containerId), parent, lowerPaths };
	}

	async mount(containerId: string): Promise<ContainerSnapshot> {
		return this.find(containerId);
	}

	async unmount(): Promise<void> {}

	async commit(): Promise<void> {
		throw new SystemError("a whole tree is no layer");
	}

	startFlush(): void {
		this.#layers.startFlush();
	}

	flush(): Promise<void> {
		return this.#layers.flush();
	}

	async remove(containerId: string): Promise<void> {
		this.#containers.forget(containerId);
		await this.#layers.discardContainer(this.#containers.path(containerId));
	}

	/** The copy, less what it is a copy of. */
	async containerUsage(containerId: string): Promise<SnapshotUsage> {
		const { upperPath, parent } = this.find(containerId);
		let { sizeBytes, inodes } = await measureTree(upperPath);
		for (let chainId = parent; chainId !== undefined; chainId = this.#layers.parentOf(chainId)) {
			sizeBytes -= this.usage(chainId).sizeBytes;
			inodes -= this.usage(chainId).inodes;
		}
		return { sizeBytes: Math.max(sizeBytes, 0), inodes: Math.max(inodes, 0) };
	}

	async cleanUp(keep: {
		readonly layers: ReadonlySet<ChainId>;
		readonly containers: ReadonlySet<string>;
	}): Promise<void> {
		for (const id of this.#containers.all()) if (!keep.containers.has(id)) await this.remove(id);
		await this.#layers.cleanUp(keep.layers);
		await this.#mountPoints.cleanUp(keep.layers);
	}

	describe(containerId: string): Readonly<Record<string, string>> {
		return { MergedDir: this.find(containerId).mergedPath };
	}

	async #fill(tree: string, parent: ChainId | undefined, readOnly: boolean): Promise<void> {
		using target = RootDirectory.open(tree);
		for (const layer of this.#stack(parent).reverse()) {
			using source = RootDirectory.open(layer);
			await new LayerCopier(source, target).copy();
		}
		if (readOnly) return;
		const made = makeMountPoints(target);
		this.#mountPoints.ensure(parent, (directory) => buildMountPoints(tree, directory, made));
	}

	#snapshot(containerId: string): ContainerSnapshot {
		const tree = join(this.#containers.path(containerId), "tree");
		return { upperPath: tree, mergedPath: tree, isWholeTree: true };
	}

	#stack(parent: ChainId | undefined): string[] {
		return parent === undefined ? [] : this.#layers.stack(parent);
	}
}

/** The same in a directory of its own, to compare the container's tree with. */
function buildMountPoints(tree: string, directory: string, made: ReadonlySet<string>): void {
	using root = RootDirectory.open(directory);
	makeMountPoints(root, ({ path }) => made.has(path));
	for (const path of ["", "dev", "etc"])
		if (existsSync(join(directory, path))) copyOwnership(join(tree, path), join(directory, path));
}
