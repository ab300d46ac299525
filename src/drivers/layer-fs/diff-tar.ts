import { InvalidParameterError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import { baseOf, parentOf } from "../../core/diff/archive-path.ts";
import type { DiffOptions, MeasuredDiff } from "../../core/diff/archiver.ts";
import type { FreshFiles } from "../../core/diff/fresh-files.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import { TAR_END } from "../../core/diff/tar-writer.ts";
import { isWhiteoutName, whiteoutName } from "../../core/diff/whiteout.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import { openRoots } from "./changes.ts";
import { compareTrees, type TreeChange } from "./compare-trees.ts";
import { TarDigest } from "./tar-digest.ts";
import { markerHeader, TreeTar } from "./tree-tar.ts";

/** The digest of `diffTar`'s bytes, and what is in them, without anybody keeping them. */
export async function measureDiff(upper: string, lowers: readonly string[], fresh?: FreshFiles): Promise<MeasuredDiff> {
	using roots = openRoots(upper, lowers);
	const pacer = new Pacer();
	const options = { wholeTree: false, everyFile: true, directoryTimes: true, pacer };
	const changes = await compareTrees(roots.upper, roots.lowers, options);
	refuseWhiteouts(changes);
	const digest = new TarDigest();
	const take = (bytes: Uint8Array) => digest.take(bytes);
	const tar = new TreeTar(roots.upper, { fresh });
	for (const { path, status } of changes) {
		if (pacer.isDue) await pacer.pause();
		if (status !== undefined) {
			const taken = tar.consume(path, path, status, take);
			if (taken !== undefined) await taken;
		} else if (isInDirectory(roots.upper, path)) take(markerHeader(whiteoutName(path), 0n));
	}
	take(TAR_END);
	return { ...digest.finish(), isEmpty: changes.length === 0, ...contentsOf(changes) };
}

/** As the unpacking of the same tar counts. */
function contentsOf(changes: readonly TreeChange[]): Pick<MeasuredDiff, "contentSizeBytes" | "inodes"> {
	const seen = new Set<bigint>();
	let contentSizeBytes = 0;
	let inodes = 0;
	for (const { status } of changes) {
		if (status !== undefined && status.kind !== "directory" && status.linkCount > 1) {
			if (seen.has(status.inode)) continue;
			seen.add(status.inode);
		}
		inodes++;
		if (status?.kind === "file" || status?.kind === "symlink") contentSizeBytes += status.sizeBytes;
	}
	return { contentSizeBytes, inodes };
}

/** A layer's tar of what a container changed, with OCI whiteouts. The same changes always give the same bytes. */
export async function* diffTar(
	upper: string,
	lowers: readonly string[],
	{ wholeTree = false, directoryTimes = true }: DiffOptions,
): AsyncGenerator<Uint8Array> {
	using roots = openRoots(upper, lowers);
	const options = { wholeTree, everyFile: !wholeTree, directoryTimes, pacer: new Pacer() };
	const changes = await compareTrees(roots.upper, roots.lowers, options);
	refuseWhiteouts(changes);
	yield* tarOf(roots.upper, changes);
}

/** A file of such a name would be taken for the removal of another one by whoever unpacks the layer. */
function refuseWhiteouts(changes: readonly TreeChange[]): void {
	for (const { path, status } of changes)
		if (status !== undefined && isWhiteoutName(baseOf(path)))
			throw new InvalidParameterError(
				`/${path}: no layer can have a file of that name: names with .wh. in front stand for files that were removed`,
			);
}

function isInDirectory(root: RootDirectory, path: string): boolean {
	return parentOf(path) === "" || root.statusIfExists(encodePath(parentOf(path)))?.kind === "directory";
}

async function* tarOf(upper: RootDirectory, changes: readonly TreeChange[]): AsyncGenerator<Uint8Array> {
	const tar = new TreeTar(upper);
	for (const { path, status } of changes) {
		if (status !== undefined) yield* tar.member(path, path, status);
		else if (isInDirectory(upper, path)) yield* tar.marker(whiteoutName(path), 0n);
	}
	yield* tar.finish();
}
