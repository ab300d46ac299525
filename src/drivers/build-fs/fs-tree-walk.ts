import { createReadStream } from "node:fs";
import { errorMessage, SystemError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { TreeEntry, TreeWalk } from "../../core/build/tree-walk.ts";
import { joinPath } from "../../core/diff/archive-path.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { O } from "../linux/file-descriptors.ts";
import { RootDirectory } from "../linux/root-directory.ts";

const PIECE_BYTES = 64 * 1024;

/** Trees of the file system, and nothing outside of them. Symlinks are told of and never followed. */
export class FsTreeWalk implements TreeWalk {
	async *entries(root: string): AsyncGenerator<TreeEntry> {
		try {
			using directory = RootDirectory.open(root);
			yield* below(directory, "", new Pacer());
		} catch (cause) {
			throw new SystemError(`failed to read the built tree: ${errorMessage(cause)}`, { cause });
		}
	}

	async *read(root: string, path: string): AsyncGenerator<Uint8Array> {
		try {
			using directory = RootDirectory.open(root);
			const fd = directory.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
			yield* createReadStream("", { fd, autoClose: true, highWaterMark: PIECE_BYTES });
		} catch (cause) {
			throw new SystemError(`failed to read ${path} of the built tree: ${errorMessage(cause)}`, { cause });
		}
	}
}

async function* below(root: RootDirectory, directory: string, pacer: Pacer): AsyncGenerator<TreeEntry> {
	for (const name of root.readDirectory(encodePath(directory === "" ? "." : directory)).sort(Buffer.compare)) {
		await pacer.pause();
		const path = joinPath(directory, decodePath(name));
		const bytes = encodePath(path);
		const { kind, permissions, uid, gid, sizeBytes, modifiedNs, deviceMajor, deviceMinor } = root.status(bytes);
		if (kind === "socket") continue;
		yield {
			path,
			kind,
			permissions,
			uid,
			gid,
			sizeBytes: kind === "file" ? sizeBytes : 0,
			modifiedNs,
			target: kind === "symlink" ? decodePath(root.readLink(bytes)) : "",
			device: { major: deviceMajor, minor: deviceMinor },
		};
		if (kind === "directory") yield* below(root, path, pacer);
	}
}
