import type { Digest } from "../../base/digest.ts";

/** Chain ID of a layer stack (OCI image specification, "Layer ChainID"); the key of an unpacked layer. */
export type ChainId = Digest;

export interface SnapshotUsage {
	readonly sizeBytes: number;
	readonly inodes: number;
}

/** An unpacked layer that is being written. Nothing is visible under its chain ID before `commit`. */
export interface SnapshotIngest {
	/** Directory to unpack into. Its parent directory belongs to the ingest, too: what the tree cannot hold is kept beside it. */
	readonly path: string;
	/**
	 * Makes it visible at once; it is on the disk only after `Snapshotter.flush`. When the chain ID exists already, the ingest is dropped instead.
	 * @param usage as counted while unpacking; measured when left out
	 */
	commit(chainId: ChainId, parent: ChainId | undefined, usage?: SnapshotUsage): Promise<void>;
	/** Removes what was written. Idempotent; a no-op after commit. */
	abort(): Promise<void>;
}

/** A container's writable root file system on top of a committed stack. */
export interface ContainerSnapshot {
	/** Directory with the container's own changes (overlay upper; the whole tree for vfs). */
	readonly upperPath: string;
	/** Where `mount` shows the merged tree. */
	readonly mergedPath: string;
	/** Whether `upperPath` is the whole tree (vfs) and changes are found by comparing it with the layers. */
	readonly isWholeTree: boolean;
}

export interface SnapshotOptions {
	readonly readOnly?: boolean;
	readonly bare?: boolean;
}

export interface MountOptions {
	readonly volatile?: boolean;
}

export interface PreparedSnapshot extends ContainerSnapshot {
	readonly parent: ChainId | undefined;
	/** What the container's changes are relative to, topmost first. */
	readonly lowerPaths: readonly string[];
}

/**
 * Unpacked layers by chain ID, and writable snapshots on top of them. Layers are immutable once committed and shared by all
 * images and containers. Methods are idempotent towards their goal; a crash leaves only ingests and unreferenced
 * snapshots, which `cleanUp` removes.
 */
export interface Snapshotter {
	/** `overlay2` or `vfs`, as `docker info` names it. */
	readonly name: string;
	has(chainId: ChainId): boolean;
	/** Directory of the layer's own files (overlay whiteouts as character devices 0/0, opaque as xattr). @throws NotFoundError */
	layerPath(chainId: ChainId): string;
	/** @param parent undefined, too, when it is not there yet: `commit` is told then, and gives the root the parent's owner */
	beginIngest(parent: ChainId | undefined): Promise<SnapshotIngest>;
	/** Directories of the whole stack, topmost first. @throws NotFoundError */
	stack(chainId: ChainId): string[];
	/** Size of the layer itself without its parents; kept from the unpack. */
	usage(chainId: ChainId): SnapshotUsage;
	/** Idempotent. The caller knows that no layer and no container stands on it. */
	removeLayer(chainId: ChainId): Promise<void>;
	/** The layers containers stand on directly, prepared snapshots of stopped containers included. */
	layersInUse(): ReadonlySet<ChainId>;
	/**
	 * Creates (or finds) the writable snapshot of a container on `parent` (undefined: an image without layers). A `readOnly` one
	 * shows the image just as it is, without the mount points that a container needs, and so does a `bare` one, which can be written to.
	 */
	prepare(containerId: string, parent: ChainId | undefined, options?: SnapshotOptions): Promise<ContainerSnapshot>;
	/**
	 * Mounts the merged tree; idempotent.
	 * @param options.volatile what is written need not survive a crash of the machine, and unmounting waits for no disk
	 */
	mount(containerId: string, options?: MountOptions): Promise<ContainerSnapshot>;
	/**
	 * Makes a layer of a container's changes, without copying them; the snapshot is gone then. Not for whole trees. When the chain ID
	 * exists already, the changes are dropped. The layer shows at once, but is on the disk only after `flush`.
	 */
	commit(containerId: string, chainId: ChainId, usage: SnapshotUsage): Promise<void>;
	/** Starts to write out what was changed so far, so that `flush` has less to wait for, and tells what has failed. */
	startFlush(): void;
	/** Resolves when all that was committed so far is on the disk. */
	flush(): Promise<void>;
	/** The container's prepared snapshot and what it stands on. @throws NotFoundError */
	find(containerId: string): PreparedSnapshot;
	unmount(containerId: string): Promise<void>;
	/** Unmounts and deletes the container's snapshot. Idempotent. */
	remove(containerId: string): Promise<void>;
	/** Disk use of the container's own changes. */
	containerUsage(containerId: string): Promise<SnapshotUsage>;
	/** Removes layers, ingests, snapshots and mounts that nobody in the sets needs. */
	cleanUp(keep: { readonly layers: ReadonlySet<ChainId>; readonly containers: ReadonlySet<string> }): Promise<void>;
	/** For inspect's GraphDriver field. */
	describe(containerId: string): Readonly<Record<string, string>>;
}
