/**
 * What the runtime mounts something on must exist in the image. So that making it is no change of the container's, it stands in a thin
 * layer of its own between image and container, one for each image:
 *
 *   <root>/mountpoints/<hex of the image's chain ID, or "none">
 *
 * The list is Docker's: programs look for `/.dockerenv`, and images ship without `/etc/mtab`.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { digestHex } from "../../base/digest.ts";
import type { ChainId } from "../../core/snapshot/snapshotter.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import { isErrno } from "./is-errno.ts";
import { removeTree, removeTreeNow } from "./layer-directories.ts";

interface MountPoint {
	readonly path: string;
	readonly kind: "directory" | "file" | "symlink";
	readonly target?: string;
}

const MOUNT_POINTS: readonly MountPoint[] = [
	{ path: "/dev/pts", kind: "directory" },
	{ path: "/dev/shm", kind: "directory" },
	{ path: "/proc", kind: "directory" },
	{ path: "/sys", kind: "directory" },
	{ path: "/.dockerenv", kind: "file" },
	{ path: "/etc/resolv.conf", kind: "file" },
	{ path: "/etc/hosts", kind: "file" },
	{ path: "/etc/hostname", kind: "file" },
	{ path: "/dev/console", kind: "file" },
	{ path: "/etc/mtab", kind: "symlink", target: "/proc/mounts" },
];

/** Makes what is missing in a tree. @returns what was made */
export function makeMountPoints(
	root: RootDirectory,
	wanted: (point: MountPoint) => boolean = () => true,
): ReadonlySet<string> {
	const made = new Set<string>();
	for (const point of MOUNT_POINTS) {
		try {
			if (!wanted(point) || root.statusIfExists(point.path) !== undefined) continue;
			make(root, point);
			made.add(point.path);
		} catch (error) {
			// The image has a file, or a link to nowhere, where a directory ought to be: its own affair.
			if (!isErrno(error, "ENOTDIR", "ENOENT", "EEXIST", "ELOOP")) throw error;
		}
	}
	return made;
}

function make(root: RootDirectory, { path, kind, target }: MountPoint): void {
	root.makeDirectories(path.slice(0, path.lastIndexOf("/")) || "/");
	if (kind === "directory") root.makeDirectory(path, 0o755);
	else if (kind === "symlink") root.makeSymlink(target ?? "", path);
	else closeDescriptor(root.openFile(path, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o755));
	// The same in every copy: what differs would count as the container's change.
	root.setTimes(path, 0n, 0n);
}

export class MountPointLayers {
	readonly #directory: string;

	constructor(readonly root: string) {
		this.#directory = join(root, "mountpoints");
		mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
	}

	path(chainId: ChainId | undefined): string {
		return join(this.#directory, chainId === undefined ? "none" : digestHex(chainId));
	}

	/** @param build fills the empty directory it is given; what it makes beside it goes away afterwards */
	ensure(chainId: ChainId | undefined, build: (directory: string) => void): void {
		const path = this.path(chainId);
		if (existsSync(path)) return;
		const workspace = join(this.root, "ingest", `mountpoints-${randomBytes(8).toString("hex")}`);
		const directory = join(workspace, "fs");
		mkdirSync(directory, { recursive: true, mode: 0o755 });
		try {
			build(directory);
			renameSync(directory, path);
		} finally {
			removeTreeNow(workspace, this.root);
		}
	}

	async remove(chainId: ChainId): Promise<void> {
		await removeTree(this.path(chainId), this.root);
	}

	async cleanUp(keep: ReadonlySet<ChainId>): Promise<void> {
		for (const name of readdirSync(this.#directory))
			if (name !== "none" && !keep.has(`sha256:${name}` as ChainId))
				await removeTree(join(this.#directory, name), this.root);
	}
}
