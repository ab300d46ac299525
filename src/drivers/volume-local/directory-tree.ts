import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode, SystemError } from "../../base/errors.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import { RootDirectory } from "../linux/root-directory.ts";

/**
 * Copies the contents of `path` (symlinks resolved inside `root`) into the directory `target`, which takes its owner and
 * mode. Done by `cp --archive`: it keeps owners, modes, times, extended
 * attributes, hard links, devices and holes.
 * @returns false when there was nothing to copy
 * @throws SystemError
 */
export async function copyDirectory(root: string, path: string, target: string): Promise<boolean> {
	using source = RootDirectory.open(root);
	let fd: number;
	try {
		fd = source.openFile(path.replace(/^\/+/, "") || ".", O.PATH | O.DIRECTORY);
	} catch (error) {
		const code = errnoCode(error);
		if (code === "ENOENT" || code === "ENOTDIR") return false;
		throw error;
	}
	try {
		const child = Bun.spawn(
			["cp", "--archive", "--reflink=auto", "--", `/proc/${process.pid}/fd/${fd}/.`, `${target}/.`],
			{ stdin: "ignore", stdout: "ignore", stderr: "pipe" },
		);
		const [message, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
		if (status !== 0) throw new SystemError(`failed to populate volume: ${message.trim()}`);
		return true;
	} finally {
		closeDescriptor(fd);
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

/** Sum of the files' sizes, each hard-linked file once. What vanishes meanwhile does not count. */
export async function treeSize(root: string): Promise<number> {
	const seen = new Set<string>();
	const pending = [root];
	let total = 0;
	for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
		try {
			for await (const entry of await opendir(directory)) {
				const path = join(directory, entry.name);
				if (entry.isDirectory()) pending.push(path);
				else total += await fileSize(path, seen);
			}
		} catch (error) {
			if (errnoCode(error) !== "ENOENT") throw error;
		}
	}
	return total;
}

async function fileSize(path: string, seen: Set<string>): Promise<number> {
	try {
		const status = await lstat(path);
		if (status.nlink > 1) {
			const key = `${status.dev}:${status.ino}`;
			if (seen.has(key)) return 0;
			seen.add(key);
		}
		return status.size;
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return 0;
		throw error;
	}
}
