/** Getting a tree onto the disk. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { open, opendir } from "node:fs/promises";
import { join } from "node:path";
import { SystemError } from "../../base/errors.ts";

/** Up to here, flushing one by one beats flushing the whole file system, which waits for everybody's writes. */
const SMALL_TREE_ENTRIES = 64;

/** Returns when all files and directories below `directory` (and itself) are on the disk. @throws SystemError */
export async function syncTree(directory: string): Promise<void> {
	const paths = await smallTrees([directory]);
	if (paths === undefined) await syncFileSystem(directory);
	else for (const path of paths) await syncPath(path);
}

/** The same for several trees in `parent`, and for its own entries. @throws SystemError, or ENOENT for a tree that goes away meanwhile */
export async function syncTrees(parent: string, directories: readonly string[]): Promise<void> {
	const paths = await smallTrees(directories);
	if (paths === undefined) await syncFileSystem(parent);
	else for (const path of [...paths, parent]) await syncPath(path);
}

/** fsync(2) of one file or directory. */
export async function syncPath(path: string): Promise<void> {
	const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
	try {
		await file.sync();
	} finally {
		await file.close();
	}
}

/** Files and directories, contents before their directory; undefined when there are many. */
async function smallTrees(roots: readonly string[]): Promise<string[] | undefined> {
	const found: string[] = [...roots];
	for (let index = 0; index < found.length; index++) {
		const path = found[index] ?? "";
		if (index >= roots.length && path.endsWith("/") === false) continue;
		for await (const entry of await opendir(path)) {
			if (entry.isDirectory()) found.push(`${join(path, entry.name)}/`);
			else if (entry.isFile()) found.push(join(path, entry.name));
			if (found.length > SMALL_TREE_ENTRIES) return undefined;
		}
	}
	return found.reverse();
}

/** syncfs(2) by coreutils' sync: it may take seconds, which must not block the event loop. */
export function syncFileSystem(path: string): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = spawn("sync", ["-f", path], { stdio: ["ignore", "ignore", "pipe"] });
		let complaint = "";
		child.stderr.on("data", (chunk) => {
			complaint += chunk;
		});
		child.on("error", (cause) => reject(new SystemError("failed to run sync", { cause })));
		child.on("close", (code) => {
			if (code === 0) resolve();
			else reject(new SystemError(`failed to flush ${path}: ${complaint.trim()}`));
		});
	});
}
