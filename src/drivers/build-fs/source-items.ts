/** What the sources of a COPY stand for in a tree. */
import { NotFoundError } from "../../base/errors.ts";
import type { FileSelection } from "../../core/build/build-directories.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { PathGlob } from "../../core/dockerfile/path-glob.ts";
import type { FileStatus } from "../linux/file-status.ts";
import { resolveLinks } from "../linux/resolve-links.ts";
import type { RootDirectory } from "../linux/root-directory.ts";

export interface SourceItem {
	/** Where it is in the tree, without a slash in front and without symlinks on the way; "" is the root. */
	readonly path: string;
	/** Its name at the destination; with `--parents` a path. */
	readonly name: string;
	readonly status: FileStatus;
}

/**
 * In the order of the sources, matches of a wildcard sorted.
 * @param isLeftOut what is may be a symlink to nowhere
 * @throws NotFoundError, InvalidParameterError
 */
export function sourceItems(
	root: RootDirectory,
	selection: SourceSelection,
	isLeftOut: (item: SourceItem) => boolean,
): SourceItem[] {
	return selection.sources.flatMap((source) => itemsOf(root, source, selection.parents, isLeftOut));
}

type SourceSelection = Pick<FileSelection, "sources" | "parents">;

function itemsOf(
	root: RootDirectory,
	source: string,
	parents: boolean,
	isLeftOut: (item: SourceItem) => boolean,
): SourceItem[] {
	const { path, pivot } = splitPivot(source);
	const found = hasWildcard(path) ? matchesOf(root, path, isLeftOut) : [single(root, path, source)];
	return found.map(({ named, path: real, status }) => ({
		path: real,
		name: parents ? named.slice(pivot).replace(/^\//, "") : (named.split("/").at(-1) ?? ""),
		status,
	}));
}

interface Found {
	/** As written, or matched. */
	readonly named: string;
	readonly path: string;
	readonly status: FileStatus;
}

function single(root: RootDirectory, path: string, source: string): Found {
	const real = resolveLinks(root, path).slice(1);
	const status = statusOf(root, real);
	if (status === undefined) throw new NotFoundError(`"/${cleanSource(source)}": not found`);
	return { named: path, path: real, status };
}

function matchesOf(root: RootDirectory, pattern: string, isLeftOut: (item: SourceItem) => boolean): Found[] {
	let directories = [{ named: "", path: "" }];
	const parts = pattern.split("/");
	const wildAt = parts.findIndex(hasWildcard);
	parts.slice(0, -1).forEach((part, index) => {
		directories = directories.flatMap(({ named, path }) =>
			namesIn(root, path, part).flatMap((name) => {
				// As with BuildKit, no symlinks are followed on the way from the first wildcard on.
				const real = index >= wildAt ? join(path, name) : resolveLinks(root, join(path, name)).slice(1);
				return statusOf(root, real)?.kind === "directory" ? [{ named: join(named, name), path: real }] : [];
			}),
		);
	});
	return directories.flatMap(({ named, path }) =>
		namesIn(root, path, parts.at(-1) ?? "").flatMap((name) => {
			const own = join(path, name);
			const real = resolveLinks(root, own).slice(1);
			const status = statusOf(root, real);
			if (status !== undefined) return [{ named: join(named, name), path: real, status }];
			const link = statusOf(root, own);
			if (link !== undefined && !isLeftOut({ path: own, name, status: link }))
				throw new NotFoundError(`"/${join(named, name)}": not found`);
			return [];
		}),
	);
}

function namesIn(root: RootDirectory, directory: string, part: string): string[] {
	if (!hasWildcard(part)) return [part];
	const glob = new PathGlob(part, { doubleStar: false });
	return root
		.readDirectory(encodePath(directory === "" ? "." : directory))
		.map(decodePath)
		.filter((name) => glob.matches(name))
		.sort();
}

function hasWildcard(pattern: string): boolean {
	return /[*?[\\]/.test(pattern);
}

function statusOf(root: RootDirectory, path: string): FileStatus | undefined {
	return root.statusIfExists(encodePath(path === "" ? "." : path));
}

/** `/./` in a source says from where on `--parents` keeps the path. */
function splitPivot(source: string): { readonly path: string; readonly pivot: number } {
	const at = source.indexOf("/./");
	return { path: cleanSource(source), pivot: at < 0 ? 0 : cleanSource(source.slice(0, at)).length };
}

/** Relative to the root, which it cannot leave. */
export function cleanSource(source: string): string {
	const parts: string[] = [];
	for (const part of source.split("/")) {
		if (part === "..") parts.pop();
		else if (part !== "" && part !== ".") parts.push(part);
	}
	return parts.join("/");
}

function join(parent: string, name: string): string {
	return parent === "" ? name : `${parent}/${name}`;
}
