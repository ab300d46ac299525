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
