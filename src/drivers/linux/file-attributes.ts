/** Extended attributes of open files: what a path names may be another file by now, a descriptor is not. */
import { errnoCode } from "../../base/errors.ts";
import { AT_FDCWD, check, cString, libc } from "./libc.ts";

const FIRST_SIZE_BYTES = 1024;
/** More than the kernel allows in one value (XATTR_SIZE_MAX). */
const SIZE_LIMIT_BYTES = 1 << 17;

/** Names; none where the file system has no attributes at all. @throws ErrnoError */
export function listFileAttributes(fd: number): string[] {
	try {
		const names = readGrowing((buffer) => libc.flistxattr(fd, buffer, buffer.length), "flistxattr");
		return names.toString().split("\0").slice(0, -1);
	} catch (error) {
		if (errnoCode(error) === "EOPNOTSUPP") return [];
		throw error;
	}
}

/** Undefined when it has none of that name. @throws ErrnoError */
export function getFileAttribute(fd: number, name: string): Buffer | undefined {
	const key = cString(name);
	try {
		return readGrowing((buffer) => libc.fgetxattr(fd, key, buffer, buffer.length), "fgetxattr");
	} catch (error) {
		const code = errnoCode(error);
		if (code === "ENODATA" || code === "EOPNOTSUPP") return undefined;
		throw error;
	}
}

/** @throws ErrnoError */
export function setFileAttribute(fd: number, name: string, value: Uint8Array): void {
	check(libc.fsetxattr(fd, cString(name), value.length === 0 ? null : value, value.length, 0), "fsetxattr", name);
}

/** Calls with a bigger buffer until the value fits. */
function readGrowing(call: (buffer: Uint8Array) => number | bigint, name: string): Buffer {
	for (let size = FIRST_SIZE_BYTES; ; size *= 4) {
		const buffer = new Uint8Array(size);
		try {
			return Buffer.from(buffer.subarray(0, check(call(buffer), name)));
		} catch (error) {
			if (errnoCode(error) !== "ERANGE" || size > SIZE_LIMIT_BYTES) throw error;
		}
	}
}

const NS_PER_SECOND = 1_000_000_000n;

/** Times in nanoseconds since the epoch. @throws ErrnoError */
export function setFileTimes(fd: number, accessedNs: bigint, modifiedNs: bigint): void {
	const times = new BigInt64Array([...timespec(accessedNs), ...timespec(modifiedNs)]);
	check(libc.utimensat(AT_FDCWD, cString(`/proc/self/fd/${fd}`), times, 0), "utimensat", fd);
}

/** Seconds and nanoseconds; the latter are never negative, before 1970 either. */
function timespec(ns: bigint): readonly [bigint, bigint] {
	const rest = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
	return [(ns - rest) / NS_PER_SECOND, rest];
}
