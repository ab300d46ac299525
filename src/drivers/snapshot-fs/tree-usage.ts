import type { BigIntStats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import type { SnapshotUsage } from "../../core/snapshot/snapshotter.ts";
import { isErrno } from "./is-errno.ts";

/**
 * Sizes of all files and symlinks below `directory` as docker counts them: apparent sizes, a file with several links once,
 * directories for nothing. The tree may change meanwhile. What lies deeper than a path can say is not counted.
 */
export async function measureTree(directory: string): Promise<SnapshotUsage> {
	const seen = new Set<bigint>();
	let sizeBytes = 0;
	let inodes = 0;
	const pending = [directory];
	for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
		for await (const entry of await openIfThere(path)) {
			const child = join(path, entry.name);
			if (entry.isDirectory()) {
				inodes++;
				pending.push(child);
				continue;
			}
			const status = await statusIfThere(child);
			if (status === undefined || (status.nlink > 1n && seen.has(status.ino))) continue;
			if (status.nlink > 1n) seen.add(status.ino);
			inodes++;
			if (status.isFile() || status.isSymbolicLink()) sizeBytes += Number(status.size);
		}
	}
	return { sizeBytes, inodes };
}

async function openIfThere(path: string): Promise<AsyncIterable<{ name: string; isDirectory(): boolean }>> {
	try {
		return await opendir(path);
	} catch (error) {
		if (isErrno(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) return nothing();
		throw error;
	}
}

async function* nothing(): AsyncGenerator<never> {}

async function statusIfThere(path: string): Promise<BigIntStats | undefined> {
	try {
		return await lstat(path, { bigint: true });
	} catch (error) {
		if (isErrno(error, "ENOENT", "ENAMETOOLONG")) return undefined;
		throw error;
	}
}
