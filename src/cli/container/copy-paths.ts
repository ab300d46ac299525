import { dirname, join, normalize } from "node:path/posix";

/**
 * The path rules of `cp`. A trailing slash or `/.` means something: `dir/.` is the contents of a directory, `name/` asserts that
 * there is one. They are those of `cp -a` with docker's additions.
 */
export interface CopySource {
	path: string;
	isDirectory: boolean;
	/** The name the copy gets when following a link has led to another one. */
	rebaseName?: string | undefined;
}

export interface CopyDestination {
	path: string;
	exists: boolean;
	isDirectory: boolean;
}

export interface CopyPlan {
	/** The directory to unpack into. */
	directory: string;
	/** What the archive's names begin with, and what they shall begin with instead. */
	rename?: { from: string; to: string };
}

/** `name:path` is in a container; an absolute path or one that begins with a dot is local even with a colon in it. */
export function splitCopyArgument(argument: string): { container: string; path: string } {
	const colon = argument.indexOf(":");
	const isLocal = argument.startsWith("/") || colon < 0 || argument.slice(0, colon).startsWith(".");
	return isLocal
		? { container: "", path: argument }
		: { container: argument.slice(0, colon), path: argument.slice(colon + 1) };
}

/** The path without its last element, and that element: `.` for `dir/.`. */
export function splitEntry(path: string): { directory: string; base: string } {
	const clean = cleanPath(path);
	const full = lastElement(path) === "." ? `${clean === "/" ? "" : clean}/.` : clean;
	const slash = full.lastIndexOf("/");
	return { directory: full.slice(0, slash + 1), base: full.slice(slash + 1) };
}

/** Does the path's spelling demand a directory? No path at all means the one one is in. */
export function assertsDirectory(path: string): boolean {
	return path === "" || path.endsWith("/") || lastElement(path) === ".";
}

/** @throws Error when a directory would replace a file, or the directory asserted is not there */
export function planCopy(source: CopySource, destination: CopyDestination): CopyPlan {
	if (destination.exists && destination.isDirectory) return { directory: destination.path };
	if (destination.exists && source.isDirectory) throw new Error("cannot copy directory");
	if (!destination.exists && !source.isDirectory && assertsDirectory(destination.path))
		throw new Error("no such directory");
	const { directory, base } = splitEntry(destination.path);
	return {
		directory: cleanPath(directory),
		rename: { from: source.rebaseName || splitEntry(source.path).base, to: base },
	};
}

/** An archive's name after the renaming; a root of `/` has an empty name in archives. */
export function renameEntry(name: string, { from, to }: { from: string; to: string }): string {
	const old = from === "/" ? "" : from;
	return name.startsWith(old) ? to + name.slice(old.length) : name;
}

/** Where a link in a container leads: its target is taken from the link's own directory. */
export function resolveLink(path: string, target: string): string {
	return target.startsWith("/") ? target : join(splitEntry(path).directory, target);
}

/**
 * A path that was resolved through a link keeps the spelling's meaning (`/.`, `/`), and the name that was asked for.
 */
export function rebaseAfterLink(path: string, resolved: string): { path: string; rebaseName: string } {
	let result = resolved;
	if (lastElement(path) === "." && lastElement(resolved) !== ".") result += "/.";
	if (path.endsWith("/") && !result.endsWith("/")) result += "/";
	return { path: result, rebaseName: baseName(path) === baseName(result) ? "" : baseName(path) };
}

/** As `path.join` of the working directory, but a trailing slash or dot stays. */
export function absoluteCopyPath(path: string, workingDirectory: string): string {
	const absolute = path.startsWith("/") ? cleanPath(path) : cleanPath(join(workingDirectory, path));
	if (lastElement(path) === "." && lastElement(absolute) !== ".") return `${absolute === "/" ? "" : absolute}/.`;
	return path.endsWith("/") && absolute !== "/" ? `${absolute}/` : absolute;
}

export function parentOf(path: string): string {
	return dirname(cleanPath(path));
}

function cleanPath(path: string): string {
	const normal = normalize(path);
	return normal.length > 1 ? normal.replace(/\/+$/, "") : normal;
}

/** What stands after the last slash, "" after a trailing one. */
function lastElement(path: string): string {
	return path.slice(path.lastIndexOf("/") + 1);
}

/** The last element that is not empty. */
function baseName(path: string): string {
	const bare = path.replace(/\/+$/, "");
	return bare === "" ? "/" : lastElement(bare);
}
