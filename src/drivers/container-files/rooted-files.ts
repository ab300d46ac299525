/** Look-ups and directories inside a container's root, which is hostile: nothing here ever follows a link out of it. */
import { closeSync, fstatSync, readFileSync, readSync } from "node:fs";
import { errnoCode, errorMessage, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import { errnoText } from "../linux/errno.ts";
import { O } from "../linux/file-descriptors.ts";
import { RootDirectory } from "../linux/root-directory.ts";

/** An /etc/passwd larger than this is not read: a container must not be able to fill the daemon's memory. */
const ACCOUNTS_LIMIT_BYTES = 4 * 1024 ** 2;

export function readAccounts(root: string): { readonly passwd: string; readonly group: string } {
	using directory = openRoot(root);
	return { passwd: readText(directory, "etc/passwd"), group: readText(directory, "etc/group") };
}

/** The root of a process is gone with the process. */
function openRoot(root: string): RootDirectory {
	try {
		return RootDirectory.open(root);
	} catch (cause) {
		if (errnoCode(cause) !== "ENOENT") throw cause;
		throw new NotFoundError(`${root} does not exist`, { cause });
	}
}

/** Empty for what is missing or no regular file. */
function readText(directory: RootDirectory, path: string): string {
	let fd: number;
	try {
		fd = directory.openFile(path, O.RDONLY | O.NONBLOCK);
	} catch (error) {
		const code = errnoCode(error);
		if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "ENXIO") return "";
		throw new SystemError(`cannot read ${path} of the container: ${errorMessage(error)}`, { cause: error });
	}
	try {
		const status = fstatSync(fd);
		if (!status.isFile()) return "";
		if (status.size > ACCOUNTS_LIMIT_BYTES) throw new SystemError(`${path} of the container is larger than 4 MiB`);
		const buffer = Buffer.alloc(status.size);
		const length = readSync(fd, buffer, 0, buffer.length, 0);
		return buffer.toString("utf8", 0, length);
	} finally {
		closeSync(fd);
	}
}

/** @throws SystemError when a file is in the way */
export function ensureDirectory(root: string, path: string): void {
	using directory = RootDirectory.open(root);
	const relative = path.replace(/^\/+/, "");
	if (relative === "") return;
	try {
		directory.makeDirectories(relative);
	} catch (cause) {
		if (errnoCode(cause) === "ENOTDIR" || errnoCode(cause) === "EEXIST")
			throw new SystemError(`Cannot mkdir: ${path} is not a directory`, { cause });
		throw new SystemError(`Cannot mkdir ${path}: ${errorMessage(cause)}`, { cause });
	}
}

/**
 * The place in `root` where something of the given kind is to be mounted, made if it is missing.
 * @returns a path through an open descriptor, valid until the returned object is disposed of
 */
export function openMountPoint(root: string, target: string, kind: "file" | "directory") {
	const directory = RootDirectory.open(root);
	try {
		const relative = target.replace(/^\/+/, "") || ".";
		if (kind === "directory") directory.makeDirectories(relative);
		else makeFile(directory, relative);
		const fd = directory.openFile(relative, O.PATH);
		return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
	} finally {
		directory[Symbol.dispose]();
	}
}

function makeFile(directory: RootDirectory, path: string): void {
	const slash = path.lastIndexOf("/");
	if (slash > 0) directory.makeDirectories(path.slice(0, slash));
	try {
		closeSync(directory.openFile(path, O.PATH));
	} catch (error) {
		if (errnoCode(error) !== "ENOENT") throw error;
		closeSync(directory.openFile(path, O.WRONLY | O.CREAT, 0o644));
	}
}

/**
 * A part of a volume, links in it followed inside the volume only. It must exist.
 * @returns a path through an open descriptor, valid until the returned object is disposed of
 * @throws NotFoundError, InvalidParameterError
 */
export function openSubpath(root: string, subpath: string) {
	using directory = RootDirectory.open(root);
	let fd: number;
	try {
		fd = directory.openFile(subpath, O.PATH);
	} catch (cause) {
		const why = errnoText(errnoCode(cause) ?? errorMessage(cause));
		const message = `cannot access path ${root}/${subpath}: lstat ${root}/${subpath}: ${why}`;
		if (errnoCode(cause) === "ENOENT") throw new NotFoundError(message, { cause });
		throw new InvalidParameterError(message, { cause });
	}
	return {
		path: RootDirectory.pathOf(fd),
		isDirectory: fstatSync(fd).isDirectory(),
		[Symbol.dispose]: () => closeSync(fd),
	};
}

/** Text of a file of the host, empty where there is none. */
export function readHostText(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch (error) {
		if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return undefined;
		throw new SystemError(`cannot read ${path}: ${errorMessage(error)}`, { cause: error });
	}
}
