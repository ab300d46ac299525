import type { Readable } from "node:stream";
import { EngineError, InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import { Pacer, pieces } from "../../base/pacer.ts";
import type { NamedTree, PathStat, TreeArchiver, WriteTreeOptions } from "../../core/diff/archiver.ts";
import { goFileMode } from "../../core/diff/file-mode.ts";
import { tarEntry } from "../../core/diff/tar-entry.ts";
import { TarReader } from "../../core/diff/tar-reader.ts";
import { formatTarHeader, TAR_END } from "../../core/diff/tar-writer.ts";
import { resolveLinks } from "../linux/resolve-links.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { isErrno, memberError } from "./archive-error.ts";
import { decompressed } from "./decompress.ts";
import { tarStream } from "./tar-stream.ts";
import { locate, type TreePath } from "./tree-path.ts";
import { TreeTar } from "./tree-tar.ts";
import { TreeWriter } from "./tree-writer.ts";

const NS_PER_MS = 1e6;

/** Trees as tar streams, on the main thread in slices of a few milliseconds; big files are read by pool threads. */
export class FsTreeArchiver implements TreeArchiver {
	async stat(root: string, path: string): Promise<PathStat> {
		using directory = openRoot(root);
		return statOf(directory, path, found(directory, path));
	}

	async read(root: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: Readable }> {
		using directory = openRoot(root);
		const place = found(directory, path);
		return { stat: statOf(directory, path, place), tar: tarStream(treeArchive(root, place)) };
	}

	async write(root: string, path: string, tar: Readable, options: WriteTreeOptions): Promise<void> {
		using directory = openRoot(root);
		// Wherever the path leads is where members go, even when somebody redirects a symlink in it meanwhile.
		const base = resolveLinks(directory, path);
		if (found(directory, base).status.kind !== "directory")
			throw new InvalidParameterError("extraction point is not a directory");
		const writer = new TreeWriter(directory, {
			base: base.slice(1),
			noOverwriteDirNonDir: options.noOverwriteDirNonDir,
			withRoot: options.withRoot === true,
			...(options.digests === undefined ? {} : { digests: options.digests }),
			...(options.copyUidGid && options.owner !== undefined ? { owner: options.owner } : {}),
		});
		try {
			const reader = new TarReader(writer);
			const pacer = new Pacer();
			for await (const chunk of decompressed(tar)) {
				for (const piece of pieces(chunk)) {
					reader.push(piece);
					await pacer.pause();
				}
			}
			reader.finish();
			writer.finish();
		} finally {
			writer.close();
			tar.destroy();
		}
	}

	export(root: string, { exact = false }: { readonly exact?: boolean } = {}): Readable {
		return tarStream(exact ? exactTree(root) : wholeTree(root));
	}

	exportTrees(trees: readonly NamedTree[]): Readable {
		return tarStream(namedTrees(trees));
	}
}

/** Opens the root when the first byte is asked for: a generator that never starts cleans nothing up. */
async function* treeArchive(root: string, { path, name, status }: TreePath): AsyncGenerator<Uint8Array> {
	using directory = openRoot(root);
	const tar = new TreeTar(directory);
	// The root's own name is empty: its members begin with a slash.
	const topName = name === "/" ? "" : name;
	yield* tar.top(path, status.kind === "directory" ? `${topName}/` : topName, status);
	yield* tar.finish();
}

async function* wholeTree(root: string): AsyncGenerator<Uint8Array> {
	using directory = openRoot(root);
	const tar = new TreeTar(directory);
	yield* tar.contents("", "");
	yield* tar.finish();
}

async function* namedTrees(trees: readonly NamedTree[]): AsyncGenerator<Uint8Array> {
	for (const { name, root } of trees) {
		using directory = openRoot(root);
		yield formatTarHeader(tarEntry({ name: `${name}/`, type: "directory", mode: 0o755, modifiedNs: 0n }));
		const tar = new TreeTar(directory);
		yield* tar.contents("", name);
		yield* tar.flush();
	}
	yield TAR_END;
}

async function* exactTree(root: string): AsyncGenerator<Uint8Array> {
	using directory = openRoot(root);
	const tar = new TreeTar(directory, { exact: true });
	yield* tar.top("", "./", directory.status("."));
	yield* tar.finish();
}

function openRoot(root: string): RootDirectory {
	try {
		return RootDirectory.open(root);
	} catch (error) {
		throw memberError("open", root, error);
	}
}

function found(directory: RootDirectory, path: string): TreePath {
	try {
		return locate(directory, path);
	} catch (cause) {
		if (isErrno(cause, "ENOENT")) throw new NotFoundError(`lstat ${path}: no such file or directory`, { cause });
		throw cause instanceof EngineError ? cause : memberError("lstat", path, cause);
	}
}

function statOf(directory: RootDirectory, path: string, { name, status }: TreePath): PathStat {
	return {
		name,
		sizeBytes: status.sizeBytes,
		mode: goFileMode(status.kind, status.permissions),
		modifiedAt: Number(status.modifiedNs) / NS_PER_MS,
		linkTarget: status.kind === "symlink" ? resolveLinks(directory, path) : "",
	};
}
