/** Removing and moving what lies in volumes' directories. */
import { rm, rmdir } from "node:fs/promises";
import { errnoCode, errorMessage, invariant, SystemError } from "../../base/errors.ts";
import { mountsUnder, readMountInfo } from "../linux/mountinfo.ts";
import { RootDirectory } from "../linux/root-directory.ts";

/**
 * Removes a tree below `root`. Idempotent. Refuses as long as something is mounted in it: that is somebody else's data.
 * @throws SystemError
 */
export async function removeTree(path: string, root: string): Promise<void> {
	invariant(path.startsWith(`${root}/`), `${path} is not below ${root}`);
	const [mounted] = mountsUnder(readMountInfo(), path);
	if (mounted !== undefined)
		throw new SystemError(`error removing volume path '${path}': something is mounted at ${mounted.mountPoint}`);
	try {
		await rm(path, { recursive: true, force: true });
	} catch (reason) {
		removeDeepTree(path, root, reason);
	}
}

/** Directories can be nested deeper than any path is long; then it goes by descriptors, at the price of a blocked event loop. */
function removeDeepTree(path: string, root: string, reason: unknown): void {
	try {
		using directory = RootDirectory.open(root);
		directory.removeAll(path.slice(root.length + 1));
	} catch (cause) {
		throw new SystemError(
			`error removing volume path '${path}': ${errorMessage(cause)} (at first: ${errorMessage(reason)})`,
			{ cause },
		);
	}
}

/** Removes the directories that are empty, in this order. */
export async function removeEmpty(...paths: readonly string[]): Promise<void> {
	for (const path of paths) {
		try {
			await rmdir(path);
		} catch (error) {
			if (!["ENOTEMPTY", "ENOENT", "ENOTDIR", "EBUSY"].includes(errnoCode(error) ?? "")) throw error;
		}
	}
}

/**
 * Moves what is in the directory `from` into `to`, both in `parent`; `to` takes owner and mode. By names alone, so that nothing
 * is written through links that somebody puts there meanwhile; what has a name already stays.
 */
export function moveContents(parent: string, from: string, to: string): void {
	using directory = RootDirectory.open(parent);
	const { uid, gid, permissions } = directory.status(from);
	directory.changeOwner(to, uid, gid);
	directory.changePermissions(to, permissions);
	for (const name of directory.readDirectory(from)) {
		const pathIn = (folder: string) => Buffer.concat([Buffer.from(`${folder}/`), name]);
		try {
			directory.rename(pathIn(from), pathIn(to), { noReplace: true });
		} catch (error) {
			if (errnoCode(error) !== "EEXIST") throw error;
		}
	}
}
