import type { HostDevice } from "./device.ts";
import type { IdMap } from "./id-map.ts";

/**
 * The files around a container on the host: its data directory (log, hosts, hostname, resolv.conf), its bundle, and what has
 * to be looked up in its root file system or on the host before it starts. Paths inside a root never lead outside it.
 */
export interface ContainerPaths {
	/** `<data-root>/containers/<id>` */
	readonly directory: string;
	readonly hosts: string;
	readonly hostname: string;
	readonly resolvConf: string;
	/** `<exec-root>/bundles/<id>` */
	readonly bundle: string;
	/** Where `shareable` IPC mode keeps its /dev/shm. */
	readonly sharedMemory: string;
}

export interface NetworkFiles {
	readonly hosts: string;
	readonly hostname: string;
	readonly resolvConf: string;
}

/** One mount of the temporary tree that stands in for a stopped container's view. */
export interface TreeMount {
	readonly source: string;
	readonly target: string;
	readonly readOnly: boolean;
}

export interface TreeRoot {
	readonly path: string;
	readonly readOnly: boolean;
}

export interface ContainerHostFiles {
	paths(id: string): ContainerPaths;
	/** Makes the data directory. Idempotent. */
	createDirectory(id: string): void;
	writeNetworkFiles(id: string, files: NetworkFiles): void;
	/**
	 * Changes one of them in place, while the container that sees it runs. A file that is not there yet is empty; one that the
	 * container has blown up beyond 4 MiB stays as it is.
	 */
	editNetworkFile(id: string, file: keyof NetworkFiles, edit: (text: string) => string): void;
	/** @returns the bundle's directory */
	writeBundle(id: string, config: unknown): string;
	/** Removes the bundle and the shared memory's mount. Idempotent. */
	removeBundle(id: string): void;
	/** Removes the data directory with the logs. Idempotent. */
	removeDirectory(id: string): Promise<void>;
	/** Mounts a tmpfs for a `shareable` container's /dev/shm. Idempotent. @returns its path */
	mountSharedMemory(id: string, sizeBytes: number): string;
	/** Texts of /etc/passwd and /etc/group, empty where there are none. @throws NotFoundError when there is no such root */
	readAccounts(root: string): { readonly passwd: string; readonly group: string };
	/** Makes a directory inside the root with its parents where it is missing. @throws SystemError when a file is in the way */
	ensureDirectory(root: string, path: string): void;
	/** What is at a path of the host. */
	kindOf(path: string): "file" | "directory" | undefined;
	/** The path with its symlinks resolved. @throws NotFoundError */
	realPath(path: string): string;
	/** Makes a missing bind source. @throws SystemError `error while creating mount source path '/x': …` */
	createBindSource(path: string): void;
	/**
	 * Mounts a subdirectory or file of a volume, symlinks resolved inside it, in a place of its own: whoever else has the volume
	 * may put a symlink where it was found, and must not get the host's files mounted by that.
	 * @param holder gives it back with `releaseSubpaths`; one file name
	 * @returns the place's path
	 * @throws InvalidParameterError when there is no such part
	 */
	mountSubpath(holder: string, root: string, subpath: string): string;
	/**
	 * Mounts a file or directory of the host in a place of its own, as the OCI runtime cannot: without what is mounted below it, and
	 * with files that belong to others.
	 * @param holder gives it back with `releaseSubpaths`
	 * @returns the place's path
	 * @throws SystemError where the file system cannot
	 */
	mountApart(holder: string, source: string, idMap: IdMap | undefined): Promise<string>;
	/** Unmounts what the holder has mounted. Idempotent. */
	releaseSubpaths(holder: string): void;
	/** The devices at a path, those below it for a directory; none for something else. @throws InvalidParameterError when nothing is there */
	devices(path: string): HostDevice[];
	/** Every device of the host but terminals, for privileged containers. */
	allDevices(): HostDevice[];
	/** The host's own /etc/resolv.conf (systemd-resolved's upstream one where it runs). */
	hostResolvConf(): string;
	hostHosts(): string;
	/** Propagation of the host mount that a bind source lies on, for the checks of `shared` and `slave` binds. */
	propagationOf(path: string): { readonly mountPoint: string; readonly shared: boolean; readonly slave: boolean };
	/**
	 * Mounts a root and what lies on top of it in a temporary place; missing mount points are made, in a read-only root too.
	 * @returns its path, to be given back with `unmountTree`
	 */
	mountTree(id: string, root: TreeRoot, mounts: readonly TreeMount[]): Promise<string>;
	unmountTree(path: string): Promise<void>;
	/** After a crash: removes bundles, subpaths, trees and data directories of containers not in the sets. */
	cleanUp(keep: { readonly containers: ReadonlySet<string>; readonly running: ReadonlySet<string> }): Promise<void>;
}
