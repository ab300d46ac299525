import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { ContextEntryKind } from "../../core/build/context-listing.ts";
import type { TreeEntry, TreeWalk } from "../../core/build/tree-walk.ts";

const PIECE_BYTES = 64 * 1024;

type Stats = Awaited<ReturnType<typeof lstatExactly>>;

/** Trees of the file system. Symlinks are told of and never followed. */
export class FsTreeWalk implements TreeWalk {
	async *entries(root: string): AsyncGenerator<TreeEntry> {
		try {
			yield* below(root, "");
		} catch (cause) {
			throw new SystemError(`failed to read the built tree: ${errorMessage(cause)}`, { cause });
		}
	}

	async *read(root: string, path: string): AsyncGenerator<Uint8Array> {
		try {
			yield* createReadStream(join(root, path), { highWaterMark: PIECE_BYTES });
		} catch (cause) {
			throw new SystemError(`failed to read ${path} of the built tree: ${errorMessage(cause)}`, { cause });
		}
	}
}

async function* below(root: string, directory: string): AsyncGenerator<TreeEntry> {
	const names = await readdir(join(root, directory));
	for (const name of names.sort(byBytes)) {
		const path = directory === "" ? name : `${directory}/${name}`;
		const stats = await lstatExactly(join(root, path));
		const kind = kindOf(stats);
		if (kind === undefined) continue;
		yield {
			path,
			kind,
			permissions: Number(stats.mode & 0o7777n),
			uid: Number(stats.uid),
			gid: Number(stats.gid),
			sizeBytes: kind === "file" ? Number(stats.size) : 0,
			modifiedNs: stats.mtimeNs,
			target: kind === "symlink" ? await readlink(join(root, path)) : "",
			device: deviceOf(stats.rdev),
		};
		if (kind === "directory") yield* below(root, path);
	}
}

function lstatExactly(path: string) {
	return lstat(path, { bigint: true });
}

function kindOf(stats: Stats): ContextEntryKind | undefined {
	if (stats.isFile()) return "file";
	if (stats.isDirectory()) return "directory";
	if (stats.isSymbolicLink()) return "symlink";
	if (stats.isFIFO()) return "fifo";
	if (stats.isCharacterDevice()) return "character-device";
	return stats.isBlockDevice() ? "block-device" : undefined;
}

/** As makedev(3) packs it. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
	return { major: Number((rdev >> 8n) & 0xfffn), minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n)) };
}

function byBytes(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
