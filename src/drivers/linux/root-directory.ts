/**
 * File operations confined to one directory, for trees somebody else controls: archives, image layers, a container's files.
 *
 * Every path is taken as if the directory were `/`: absolute paths, `..` and symlinks of any kind resolve inside it
 * (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), whatever a racing process does meanwhile. The last component of a
 * path is never followed unless the method says so: an operation resolves the parent directory in the kernel and then
 * acts on one name in it. Permissions given to what is made are cut by the process's umask, as everywhere in POSIX.
 */
import { readdirSync, statfsSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import { closeDescriptor, O } from "./file-descriptors.ts";
import { type FileStatus, statusAt } from "./file-status.ts";
import { timespecs } from "./file-times.ts";
import { AT_FDCWD, check, cString, errnoError, lastErrno, libc, type PathLike } from "./libc.ts";
import { asArgument, openAt } from "./open-at.ts";
import { removeTree } from "./remove-tree.ts";

const SYS_FCHMODAT2 = 452;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const ENOSYS = 38;
const TYPE_BITS = { fifo: 0o010000, "character-device": 0o020000, "block-device": 0o060000, socket: 0o140000 } as const;

export type NodeKind = keyof typeof TYPE_BITS;

/** A name in an open directory: what an *at() call takes. */
interface Location {
	readonly dirfd: number;
	readonly name: Uint8Array;
}

const UMASK = process.umask();

/** What a new file has of the permissions that it is to have, when it was made with those below the set-ID and sticky bits. */
export function permissionsWhenMade(wanted: number): number {
	return wanted & 0o777 & ~UMASK;
}

export class RootDirectory implements Disposable {
	/** The parent directory resolved last: archives name the files of a directory one after the other. */
	#cached: { readonly path: Uint8Array; readonly fd: number } | undefined;
	#closed = false;

	private constructor(
		/** O_PATH descriptor of the directory. */
		readonly fd: number,
	) {}

	/** @param path trusted; symlinks in it are followed. @throws ErrnoError ENOENT, ENOTDIR */
	static open(path: string): RootDirectory {
		return new RootDirectory(openAt(AT_FDCWD, cString(path), O.PATH | O.DIRECTORY | O.CLOEXEC, 0, 0));
	}

	/** Opens a directory of this one as a root of its own. @throws ErrnoError */
	openDirectory(path: PathLike): RootDirectory {
		return new RootDirectory(this.openFile(path, O.PATH | O.DIRECTORY));
	}

	/**
	 * Opens a file, following symlinks (inside the root) unless `O.NOFOLLOW` is given; close-on-exec. The caller closes it.
	 * Add `O.NONBLOCK` when the file may be a fifo or a device.
	 * @throws ErrnoError
	 */
	openFile(path: PathLike, flags: number, permissions = 0o666): number {
		const mode = (flags & O.CREAT) === 0 ? 0 : permissions & 0o7777;
		return this.#open(pathBytes(path), flags | O.CLOEXEC, mode);
	}

	/** Status of what the path names, symlinks at its end not followed unless `follow`. @throws ErrnoError */
	status(path: PathLike, options: { readonly follow?: boolean } = {}): FileStatus {
		if (options.follow === true) {
			const fd = this.openFile(path, O.PATH);
			try {
				return statusAt(fd, "");
			} finally {
				closeDescriptor(fd);
			}
		}
		return this.#at(path, ({ dirfd, name }) => statusAt(dirfd, name));
	}

	/** Undefined where nothing has that name. */
	statusIfExists(path: PathLike): FileStatus | undefined {
		try {
			return this.status(path);
		} catch (error) {
			const code = errnoCode(error);
			if (code === "ENOENT" || code === "ENOTDIR") return undefined;
			throw error;
		}
	}

	/** Target of a symlink, as bytes: it need not be UTF-8. @throws ErrnoError EINVAL when it is none */
	readLink(path: PathLike): Buffer {
		return this.#at(path, ({ dirfd, name }) => {
			const buffer = new Uint8Array(4097);
			const length = check(libc.readlinkat(dirfd, cString(name), buffer, buffer.length), "readlinkat", path);
			return Buffer.from(buffer.subarray(0, length));
		});
	}

	/** Names in a directory (symlinks followed), unsorted, as bytes, without `.` and `..`. */
	readDirectory(path: PathLike): Buffer[] {
		const fd = this.openFile(path, O.PATH | O.DIRECTORY);
		try {
			return readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" });
		} finally {
			closeDescriptor(fd);
		}
	}

	/** Magic number of the file system that a directory is on (linux/magic.h). @throws ErrnoError */
	fileSystemType(path: PathLike): number {
		const fd = this.openFile(path, O.PATH | O.DIRECTORY);
		try {
			return statfsSync(RootDirectory.pathOf(fd)).type;
		} finally {
			closeDescriptor(fd);
		}
	}

	/** @throws ErrnoError EEXIST */
	makeDirectory(path: PathLike, permissions: number): void {
		this.#at(path, ({ dirfd, name }) => check(libc.mkdirat(dirfd, cString(name), permissions), "mkdirat", path));
	}

	/** Makes the directory and its missing parents; one that is there already is left as it is. @returns whether it was made */
	makeDirectories(path: PathLike, permissions = 0o755): boolean {
		try {
			this.makeDirectory(path, permissions);
			return true;
		} catch (error) {
			const code = errnoCode(error);
			if (code === "EEXIST") {
				closeDescriptor(this.openFile(path, O.PATH | O.DIRECTORY));
				return false;
			}
			const parent = splitPath(pathBytes(path)).parent;
			if (code !== "ENOENT" || parent.length === 0) throw error;
			this.makeDirectories(parent, permissions);
			this.makeDirectory(path, permissions);
			return true;
		}
	}

	/** @throws ErrnoError EEXIST, EPERM without CAP_MKNOD */
	makeNode(path: PathLike, kind: NodeKind, permissions: number, major = 0, minor = 0): void {
		this.#at(path, ({ dirfd, name }) =>
			check(
				libc.mknodat(dirfd, cString(name), TYPE_BITS[kind] | permissions, deviceNumber(major, minor)),
				"mknodat",
				path,
			),
		);
	}

	/** @param target kept as it is; where it points is judged when somebody follows it */
	makeSymlink(target: PathLike, path: PathLike): void {
		this.#at(path, ({ dirfd, name }) =>
			check(libc.symlinkat(cString(target), dirfd, cString(name)), "symlinkat", path),
		);
	}

	/** Hard link to a file of another root on the same file system. @throws ErrnoError EXDEV, EMLINK */
	makeLinkFrom(source: RootDirectory, existing: PathLike, path: PathLike): void {
		source.#at(existing, (from) =>
			this.#at(path, (to) =>
				check(libc.linkat(from.dirfd, cString(from.name), to.dirfd, cString(to.name), 0), "linkat", path),
			),
		);
	}

	/** Hard link within the root; a symlink at `existing` is linked itself. */
	makeLink(existing: PathLike, path: PathLike): void {
		this.#atBoth(existing, path, (from, to) =>
			check(libc.linkat(from.dirfd, cString(from.name), to.dirfd, cString(to.name), 0), "linkat", path),
		);
	}

	rename(
		from: PathLike,
		to: PathLike,
		options: { readonly noReplace?: boolean; readonly exchange?: boolean } = {},
	): void {
		const flags =
			(options.noReplace === true ? RENAME_NOREPLACE : 0) | (options.exchange === true ? RENAME_EXCHANGE : 0);
		this.#atBoth(from, to, (source, target) =>
			check(
				libc.renameat2(source.dirfd, cString(source.name), target.dirfd, cString(target.name), flags),
				"renameat2",
				from,
			),
		);
		this.#forget();
	}

	/** @throws ErrnoError ENOENT, EISDIR */
	unlink(path: PathLike): void {
		this.#at(path, ({ dirfd, name }) => check(libc.unlinkat(dirfd, cString(name), 0), "unlinkat", path));
		// A symlink to a directory may have been part of the cached path.
		this.#forget();
	}

	/** @throws ErrnoError ENOENT, ENOTDIR, ENOTEMPTY */
	removeDirectory(path: PathLike): void {
		this.#forget();
		this.#at(path, ({ dirfd, name }) => check(libc.unlinkat(dirfd, cString(name), AT_REMOVEDIR), "unlinkat", path));
	}

	/** Removes whatever the path names, a directory with all below it. Nothing there is success. Symlinks are not followed. @throws ErrnoError EBUSY for the root itself */
	removeAll(path: PathLike): void {
		this.#forget();
		try {
			this.#at(path, ({ dirfd, name }) => {
				if (name === DOT) throw errnoError(16, "unlinkat", path);
				removeTree(dirfd, name);
			});
		} catch (error) {
			if (errnoCode(error) !== "ENOENT") throw error;
		}
	}

	changeOwner(path: PathLike, uid: number, gid: number): void {
		this.#at(path, ({ dirfd, name }) =>
			check(libc.fchownat(dirfd, cString(name), uid, gid, AT_SYMLINK_NOFOLLOW), "fchownat", path),
		);
	}

	/** @param permissions 0o7777. Linux gives symlinks no permissions of their own: EOPNOTSUPP. */
	changePermissions(path: PathLike, permissions: number): void {
		this.#at(path, ({ dirfd, name }) => changePermissionsAt(dirfd, name, permissions));
	}

	/** Times in nanoseconds since the epoch, of a symlink itself. */
	setTimes(path: PathLike, accessedNs: bigint, modifiedNs: bigint): void {
		const times = timespecs(accessedNs, modifiedNs);
		this.#at(path, ({ dirfd, name }) =>
			check(libc.utimensat(dirfd, cString(name), times, AT_SYMLINK_NOFOLLOW), "utimensat", path),
		);
	}

	/** Names of the extended attributes, of a symlink itself. */
	listAttributes(path: PathLike): string[] {
		return this.#at(path, (location) => {
			const file = procPath(location);
			const value = readGrowing((buffer, size) => libc.llistxattr(file, buffer, size), "llistxattr", path);
			return value.length === 0 ? [] : value.toString().split("\0").slice(0, -1);
		});
	}

	/** Undefined when the file has no such attribute or its file system has none at all. */
	getAttribute(path: PathLike, attribute: string): Buffer | undefined {
		const key = cString(attribute);
		try {
			return this.#at(path, (location) =>
				readGrowing((buffer, size) => libc.lgetxattr(procPath(location), key, buffer, size), "lgetxattr", path),
			);
		} catch (error) {
			const code = errnoCode(error);
			if (code === "ENODATA" || code === "EOPNOTSUPP") return undefined;
			throw error;
		}
	}

	setAttribute(path: PathLike, attribute: string, value: Uint8Array): void {
		this.#at(path, (location) =>
			check(
				libc.lsetxattr(procPath(location), cString(attribute), value.length === 0 ? null : value, value.length, 0),
				"lsetxattr",
				`${attribute}`,
			),
		);
	}

	removeAttribute(path: PathLike, attribute: string): void {
		this.#at(path, (location) =>
			check(libc.lremovexattr(procPath(location), cString(attribute)), "lremovexattr", attribute),
		);
	}

	/** A path of the opened file for calls that take none but paths; valid while the descriptor is open. */
	static pathOf(fd: number): string {
		return `/proc/self/fd/${fd}`;
	}

	close(): void {
		this.#forget();
		if (!this.#closed) closeDescriptor(this.fd);
		this.#closed = true;
	}

	[Symbol.dispose](): void {
		this.close();
	}

	#open(path: Uint8Array, flags: number, mode: number): number {
		return openAt(
			this.fd,
			cString(path.length === 0 ? DOT : path),
			flags,
			mode,
			RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
		);
	}

	/** Runs `act` on the place the path names: its parent directory, open, and the last name. */
	#at<T>(path: PathLike, act: (location: Location) => T): T {
		const { parent, name } = splitPath(pathBytes(path));
		return act({ dirfd: this.#parentDescriptor(parent), name });
	}

	#atBoth(from: PathLike, to: PathLike, act: (from: Location, to: Location) => void): void {
		const source = splitPath(pathBytes(from));
		const fd = this.#open(source.parent, O.PATH | O.DIRECTORY | O.CLOEXEC, 0);
		try {
			this.#at(to, (location) => act({ dirfd: fd, name: source.name }, location));
		} finally {
			closeDescriptor(fd);
		}
	}

	#parentDescriptor(parent: Uint8Array): number {
		if (this.#closed) throw errnoError(9, "openat2", "closed root directory");
		if (parent.length === 0) return this.fd;
		if (this.#cached !== undefined && isSame(this.#cached.path, parent)) return this.#cached.fd;
		const fd = this.#open(parent, O.PATH | O.DIRECTORY | O.CLOEXEC, 0);
		this.#forget();
		// A copy: the path may be part of a buffer that is used again.
		this.#cached = { path: parent.slice(), fd };
		return fd;
	}

	#forget(): void {
		if (this.#cached !== undefined) closeDescriptor(this.#cached.fd);
		this.#cached = undefined;
	}
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	// From the end: that is where paths differ.
	for (let index = a.length - 1; index >= 0; index--) if (a[index] !== b[index]) return false;
	return true;
}

function pathBytes(path: PathLike): Uint8Array {
	return typeof path === "string" ? encoder.encode(path) : path;
}

const encoder = new TextEncoder();

const SLASH = 0x2f;
const DOT = encoder.encode(".");

/**
 * Parent and last name. Trailing slashes do not count. A path that ends in `..` (or is empty) has no last name of its own:
 * it is all parent, and the name is `.`, which every *at() call takes for the directory itself (and refuses to create or remove).
 */
export function splitPath(given: Uint8Array): { readonly parent: Uint8Array; readonly name: Uint8Array } {
	// Parts of a plain array are several times as quick to make as those of a Buffer.
	const path = given instanceof Buffer ? new Uint8Array(given.buffer, given.byteOffset, given.length) : given;
	let end = path.length;
	while (end > 0 && path[end - 1] === SLASH) end--;
	const start = path.lastIndexOf(SLASH, end - 1) + 1;
	const name = path.subarray(end === 0 ? 0 : start, end);
	if (isDots(name)) return { parent: path.subarray(0, end), name: DOT };
	let parentEnd = start;
	while (parentEnd > 0 && path[parentEnd - 1] === SLASH) parentEnd--;
	return { parent: path.subarray(0, parentEnd), name };
}

function isDots(name: Uint8Array): boolean {
	return name.length === 0 || (name.length <= 2 && name[0] === 0x2e && name[name.length - 1] === 0x2e);
}

function procPath({ dirfd, name }: Location): Uint8Array {
	const directory = `/proc/self/fd/${dirfd}/`;
	const path = new Uint8Array(directory.length + name.length + 1);
	for (let index = 0; index < directory.length; index++) path[index] = directory.charCodeAt(index);
	path.set(name, directory.length);
	if (name.includes(0)) throw errnoError(22, "path", name);
	return path;
}

function changePermissionsAt(dirfd: number, name: Uint8Array, permissions: number): void {
	const [directory, mode, flags] = [asArgument(dirfd), asArgument(permissions), asArgument(AT_SYMLINK_NOFOLLOW)];
	if (Number(libc.syscall(SYS_FCHMODAT2, directory, cString(name), mode, flags, null, null)) >= 0) return;
	const errno = lastErrno();
	if (errno !== ENOSYS) throw errnoError(errno, "fchmodat2", name);
	// Before Linux 6.6: through a descriptor, which pins the file, so that nobody can swap a symlink in.
	const fd = openAt(dirfd, cString(name), O.PATH | O.NOFOLLOW | O.CLOEXEC, 0, 0);
	try {
		if (statusAt(fd, "").kind === "symlink") throw errnoError(95, "fchmodat", name);
		check(libc.fchmodat(AT_FDCWD, cString(RootDirectory.pathOf(fd)), permissions, 0), "fchmodat", name);
	} finally {
		closeDescriptor(fd);
	}
}

/** The kernel's encoding of dev_t for user space: 12 bits major, 20 bits minor, then the rest of each. */
export function deviceNumber(major: number, minor: number): number {
	const number =
		(BigInt(minor) & 0xffn) |
		((BigInt(major) & 0xfffn) << 8n) |
		((BigInt(minor) & ~0xffn) << 12n) |
		((BigInt(major) & ~0xfffn) << 32n);
	return Number(number);
}

/** Values are copied out of it at once. */
const SCRATCH = new Uint8Array(16_384);

/** Calls with a bigger buffer until the value fits: it may grow between two calls. */
function readGrowing(
	call: (buffer: Uint8Array, size: number) => number | bigint,
	name: string,
	detail: PathLike,
): Buffer {
	for (let size = SCRATCH.length; ; size *= 4) {
		const buffer = size === SCRATCH.length ? SCRATCH : new Uint8Array(size);
		try {
			return Buffer.from(buffer.subarray(0, check(call(buffer, size), name, detail)));
		} catch (error) {
			if (errnoCode(error) !== "ERANGE" || size > 1 << 20) throw error;
		}
	}
}
