/** Paths inside a root as the archive endpoints take them: the last name is not followed, `…/` and `…/.` mean what is behind it. */
import { encodePath } from "../../core/diff/path-text.ts";
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
