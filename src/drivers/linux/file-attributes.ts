/** Extended attributes of open files: what a path names may be another file by now, a descriptor is not. */
import { errnoCode } from "../../base/errors.ts";
import { check, cString, libc } from "./libc.ts";

const FIRST_SIZE_BYTES = 1024;
/** More than the kernel allows in one value (XATTR_SIZE_MAX). */
const SIZE_LIMIT_BYTES = 1 << 17;

/** Names; none where the file system has no attributes at all. @throws ErrnoError */
export function listFileAttributes(fd: number): string[] {
	try {
		const names = readGrowing((buffer) => libc.flistxattr(fd, buffer, buffer.length), "flistxattr");
		if (names.length === 0) return [];
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

const NOTHING = Buffer.alloc(0);
/** Values are copied out of it at once. */
const SCRATCH = new Uint8Array(FIRST_SIZE_BYTES);

/** Calls with a bigger buffer until the value fits. */
function readGrowing(call: (buffer: Uint8Array) => number | bigint, name: string): Buffer {
	for (let size = FIRST_SIZE_BYTES; ; size *= 4) {
		const buffer = size === FIRST_SIZE_BYTES ? SCRATCH : new Uint8Array(size);
		try {
			const length = check(call(buffer), name);
			// Of most files there are none.
			return length === 0 ? NOTHING : Buffer.from(buffer.subarray(0, length));
		} catch (error) {
			if (errnoCode(error) !== "ERANGE" || size > SIZE_LIMIT_BYTES) throw error;
		}
	}
}
