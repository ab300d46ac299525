/** Paths inside a root as the archive endpoints take them: the last name is not followed, `…/` and `…/.` mean what is behind it. */
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import type { FileStatus } from "../linux/file-status.ts";
import { errnoError } from "../linux/libc.ts";
import type { RootDirectory } from "../linux/root-directory.ts";

export interface TreePath {
	/** For calls on the root directory. */
	readonly path: string;
	/** Base name as the client wrote it: `.` for `…/.`, `/` for the root. */
	readonly name: string;
	readonly status: FileStatus;
}

const ENOTDIR = 20;

/** @throws ErrnoError ENOENT, ENOTDIR */
export function locate(root: RootDirectory, path: string): TreePath {
	const absolute = `/${path.replace(/^\/+/, "")}`;
	const name = absolute.replace(/\/+$/, "").split("/").at(-1) || "/";
	const behind = absolute.endsWith("/") || name === "." || name === "..";
	const bytes = encodePath(absolute);
	const status = root.status(bytes, { follow: behind });
	if (behind && status.kind !== "directory") throw errnoError(ENOTDIR, "lstat", absolute);
	return { path: absolute, name, status };
}

const LINK_LIMIT = 255;

/** Where a path ends after all symlinks, inside the root; what does not exist is taken as it stands. */
export function resolveLinks(root: RootDirectory, path: string): string {
	const done: string[] = [];
	const pending = path.split("/").reverse();
	let links = 0;
	for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
		if (part === "" || part === ".") continue;
		if (part === "..") {
			done.pop();
			continue;
		}
		const here = `/${[...done, part].join("/")}`;
		const status = root.statusIfExists(encodePath(here));
		if (status?.kind !== "symlink" || ++links > LINK_LIMIT) {
			done.push(part);
			continue;
		}
		const target = decodePath(root.readLink(encodePath(here)));
		if (target.startsWith("/")) done.length = 0;
		pending.push(...target.split("/").reverse());
	}
	return `/${done.join("/")}`;
}
