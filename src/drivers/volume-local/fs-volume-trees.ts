import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../../base/errors.ts";
import type { CopyOptions, VolumeTrees } from "../../core/volume/volume-driver.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { TreeCopier } from "./tree-copier.ts";

export class FsVolumeTrees implements VolumeTrees {
	isEmpty(directory: string): boolean {
		using root = RootDirectory.open(directory);
		return root.readDirectory(".").length === 0;
	}

	async size(directory: string): Promise<number> {
		return await treeSize(directory);
	}

	async copy(
		source: { readonly root: string; readonly path: string },
		target: string,
		options: CopyOptions = {},
	): Promise<boolean> {
		using root = RootDirectory.open(source.root);
		using from = openDirectoryIfThere(root, source.path);
		if (from === undefined) return false;
		using to = RootDirectory.open(target);
		await new TreeCopier(from, to, options).copy();
		return true;
	}
}

function openDirectoryIfThere(root: RootDirectory, path: string): RootDirectory | undefined {
	try {
		return root.openDirectory(path.replace(/^\/+/, "") || ".");
	} catch (error) {
		const code = errnoCode(error);
		if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
		throw error;
	}
}

/** Sum of the files' sizes, each hard-linked file once. What vanishes meanwhile does not count. */
async function treeSize(root: string): Promise<number> {
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
			if (!isPassing(error)) throw error;
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
		return status.isFile() || status.isSymbolicLink() ? status.size : 0;
	} catch (error) {
		if (isPassing(error)) return 0;
		throw error;
	}
}

/** It vanished, or lies deeper than a path can say, as a container may have it: that is no reason to measure nothing. */
function isPassing(error: unknown): boolean {
	return ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errnoCode(error) ?? "");
}
