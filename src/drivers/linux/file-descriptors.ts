/** Operations on open descriptors that `node:fs` does not offer. Plain reads and writes: use `node:fs` on the same numbers. */
import { writeSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import { check, cString, errnoError, lastErrno, libc } from "./libc.ts";

export const O = {
	RDONLY: 0,
	WRONLY: 1,
	RDWR: 2,
	CREAT: 0o100,
	EXCL: 0o200,
	NOCTTY: 0o400,
	TRUNC: 0o1000,
	APPEND: 0o2000,
	NONBLOCK: 0o4000,
	DIRECTORY: process.arch === "arm64" ? 0o40000 : 0o200000,
	NOFOLLOW: process.arch === "arm64" ? 0o100000 : 0o400000,
	CLOEXEC: 0o2000000,
	PATH: 0o10000000,
} as const;

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const F_DUPFD_CLOEXEC = 1030;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** SEAL, SHRINK, GROW and WRITE: what OCI runtimes ask of a copy of themselves. */
const F_SEAL_ALL = 0xf;
const LOCK_EX = 2;
const LOCK_NB = 4;

export function closeDescriptor(fd: number): void {
	libc.close(fd);
}

export function duplicate(fd: number): number {
	return check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 3), "fcntl", fd);
}

/** An anonymous file in memory. */
export function openMemoryFile(name: string): number {
	return check(libc.memfd_create(cString(name), MFD_CLOEXEC), "memfd_create", name);
}

/**
 * An executable file in memory whose content nobody can change any more, root included.
 * @throws ErrnoError EACCES where the machine forbids to execute such files
 */
export function openSealedMemoryFile(name: string, content: Uint8Array): number {
	const fd = openExecutableMemoryFile(name);
	try {
		for (let offset = 0; offset < content.length; ) offset += writeSync(fd, content, offset);
		check(libc.fcntl(fd, F_ADD_SEALS, F_SEAL_ALL), "fcntl", fd);
		return fd;
	} catch (error) {
		closeDescriptor(fd);
		throw error;
	}
}

/** Kernels before 6.3 do not know MFD_EXEC: there such files always are executable. */
function openExecutableMemoryFile(name: string): number {
	try {
		return check(libc.memfd_create(cString(name), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC), "memfd_create", name);
	} catch (error) {
		if (errnoCode(error) !== "EINVAL") throw error;
		return check(libc.memfd_create(cString(name), MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create", name);
	}
}

/** Takes the exclusive lock of an open file; false when another open file description holds it. Ends with the descriptor. */
export function tryLockExclusive(fd: number): boolean {
	if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
	const errno = lastErrno();
	if (errno === 11) return false;
	throw errnoError(errno, "flock", fd);
}

/** A run of data in a sparse file; what is between the runs are holes. */
export interface DataRange {
	readonly offset: number;
	readonly length: number;
}

/** Data ranges of a file in order. One range over everything where the file system knows no holes. */
export function dataRanges(fd: number, sizeBytes: number): DataRange[] {
	const ranges: DataRange[] = [];
	for (let position = 0; position < sizeBytes; ) {
		const start = seek(fd, position, SEEK_DATA);
		if (start === undefined) break;
		const end = Math.min(seek(fd, start, SEEK_HOLE) ?? sizeBytes, sizeBytes);
		if (start >= end) break;
		ranges.push({ offset: start, length: end - start });
		position = end;
	}
	return ranges;
}

/** Undefined past the last data (ENXIO). */
function seek(fd: number, offset: number, whence: number): number | undefined {
	const result = Number(libc.lseek(fd, offset, whence));
	if (result >= 0) return result;
	const errno = lastErrno();
	if (errno === 6) return undefined;
	throw errnoError(errno, "lseek", fd);
}

/**
 * Copies in the kernel from and to the current positions, sharing blocks where the file system can.
 * @returns bytes copied, fewer than asked at the end of the source
 * @throws ErrnoError EXDEV, EINVAL or EOPNOTSUPP where the kernel cannot: copy through a buffer then
 */
export function copyRange(fromFd: number, toFd: number, length: number): number {
	let copied = 0;
	while (copied < length) {
		const count = check(
			libc.copy_file_range(fromFd, null, toFd, null, Math.min(length - copied, 1 << 30), 0),
			"copy_file_range",
		);
		if (count === 0) break;
		copied += count;
	}
	return copied;
}
