/**
 * The one place that opens libc. Everything above it goes through `call…` wrappers that turn a failure into an ErrnoError
 * whose code was read right after the call. Calls are synchronous and run on the calling thread: nothing that can block
 * for long (network, fifos) belongs here.
 */
import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { ErrnoError, SystemError } from "../../base/errors.ts";
import { errnoName, errnoText } from "./errno.ts";

/** A pointer or integer argument of a raw system call. Buffers are passed by address and live as long as the call. */
export type SyscallArgument = NodeJS.TypedArray | number | null;

/** File system paths as the kernel sees them: bytes without NUL. Strings are encoded as UTF-8. */
export type PathLike = string | Uint8Array;

const library = dlopen("libc.so.6", {
	__errno_location: { args: [], returns: "ptr" },
	syscall: { args: ["i32", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: FFIType.i64_fast },
	mount: { args: ["ptr", "ptr", "ptr", FFIType.u64_fast, "ptr"], returns: "i32" },
	umount2: { args: ["ptr", "i32"], returns: "i32" },
	close: { args: ["i32"], returns: "i32" },
	read: { args: ["i32", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	write: { args: ["i32", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	lseek: { args: ["i32", FFIType.i64_fast, "i32"], returns: FFIType.i64_fast },
	copy_file_range: { args: ["i32", "ptr", "i32", "ptr", FFIType.u64_fast, "u32"], returns: FFIType.i64_fast },
	ioctl: { args: ["i32", FFIType.u64_fast, "ptr"], returns: "i32" },
	flock: { args: ["i32", "i32"], returns: "i32" },
	fcntl: { args: ["i32", "i32", FFIType.i64_fast], returns: "i32" },
	memfd_create: { args: ["ptr", "u32"], returns: "i32" },
	mkdirat: { args: ["i32", "ptr", "u32"], returns: "i32" },
	mknodat: { args: ["i32", "ptr", "u32", FFIType.u64_fast], returns: "i32" },
	symlinkat: { args: ["ptr", "i32", "ptr"], returns: "i32" },
	linkat: { args: ["i32", "ptr", "i32", "ptr", "i32"], returns: "i32" },
	unlinkat: { args: ["i32", "ptr", "i32"], returns: "i32" },
	renameat2: { args: ["i32", "ptr", "i32", "ptr", "u32"], returns: "i32" },
	fchownat: { args: ["i32", "ptr", "u32", "u32", "i32"], returns: "i32" },
	fchmodat: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
	futimens: { args: ["i32", "ptr"], returns: "i32" },
	utimensat: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
	readlinkat: { args: ["i32", "ptr", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	statx: { args: ["i32", "ptr", "i32", "u32", "ptr"], returns: "i32" },
	fgetxattr: { args: ["i32", "ptr", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	fsetxattr: { args: ["i32", "ptr", "ptr", FFIType.u64_fast, "i32"], returns: "i32" },
	flistxattr: { args: ["i32", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	lgetxattr: { args: ["ptr", "ptr", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	lsetxattr: { args: ["ptr", "ptr", "ptr", FFIType.u64_fast, "i32"], returns: "i32" },
	llistxattr: { args: ["ptr", "ptr", FFIType.u64_fast], returns: FFIType.i64_fast },
	lremovexattr: { args: ["ptr", "ptr"], returns: "i32" },
	unshare: { args: ["i32"], returns: "i32" },
	setns: { args: ["i32", "i32"], returns: "i32" },
	socket: { args: ["i32", "i32", "i32"], returns: "i32" },
	bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
	listen: { args: ["i32", "i32"], returns: "i32" },
	connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
	getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
	setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
	send: { args: ["i32", "ptr", FFIType.u64_fast, "i32"], returns: FFIType.i64_fast },
	recv: { args: ["i32", "ptr", FFIType.u64_fast, "i32"], returns: FFIType.i64_fast },
	getrlimit: { args: ["i32", "ptr"], returns: "i32" },
	setrlimit: { args: ["i32", "ptr"], returns: "i32" },
	malloc_trim: { args: [FFIType.u64_fast], returns: "i32" },
	sysconf: { args: ["i32"], returns: FFIType.i64_fast },
});

export const libc = library.symbols;

const errnoAddress = libc.__errno_location();
if (errnoAddress === null) throw new SystemError("libc has no errno");
const errnoPointer = Number(errnoAddress) as Pointer;

/** errno of the last failed call of this thread. Only meaningful right after that call. */
export function lastErrno(): number {
	return read.i32(errnoPointer, 0);
}

/** The result when it is not negative. @throws ErrnoError */
export function check(result: number | bigint, syscall: string, detail?: PathLike | number): number {
	const value = Number(result);
	if (value >= 0) return value;
	throw errnoError(lastErrno(), syscall, detail);
}

export function errnoError(errno: number, syscall: string, detail?: PathLike | number): ErrnoError {
	const code = errnoName(errno);
	return new ErrnoError(syscall, errno, code, describe(detail), errnoText(code));
}

function describe(detail: PathLike | number | undefined): string {
	if (detail === undefined) return "";
	return typeof detail === "object" ? Buffer.from(detail).toString() : String(detail);
}

/** A raw system call by number. @throws ErrnoError */
export function syscall(
	name: string,
	number: number,
	detail: PathLike | number | undefined,
	...args: readonly SyscallArgument[]
): number {
	const [a, b, c, d, e, f] = args.map(asPointer);
	return check(libc.syscall(number, a ?? null, b ?? null, c ?? null, d ?? null, e ?? null, f ?? null), name, detail);
}

/** The FFI's pointer class passes integers as they are, sign-extended, which is what a register argument needs. */
function asPointer(argument: SyscallArgument): NodeJS.TypedArray | Pointer | null {
	return typeof argument === "number" ? (argument as Pointer) : argument;
}

const encoder = new TextEncoder();
const ENCODED_NUL = 0;
/** Nobody writes to what `cString` gave. */
const EMPTY_C_STRING = new Uint8Array(1);

/**
 * A NUL-terminated copy. A path with a NUL inside would silently name another file: it is refused.
 * @throws ErrnoError EINVAL
 */
export function cString(text: PathLike): Uint8Array {
	if (text.length === 0) return EMPTY_C_STRING;
	if (typeof text === "string") {
		if (text.includes("\0")) throw errnoError(22, "path", text);
		return encoder.encode(`${text}\0`);
	}
	if (text.includes(ENCODED_NUL)) throw errnoError(22, "path", text);
	const copy = new Uint8Array(text.length + 1);
	copy.set(text);
	return copy;
}

/** The current directory, in place of a directory descriptor. */
export const AT_FDCWD = -100;
