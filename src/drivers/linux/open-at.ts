/** openat2(2), called for each file of a tree: nothing of the call is made anew. */
import type { Pointer } from "bun:ffi";
import { errnoError, lastErrno, libc } from "./libc.ts";

const SYS_OPENAT2 = 437;
const EAGAIN = 11;
const EAGAIN_ATTEMPTS = 64;
/** struct open_how, include/uapi/linux/openat2.h: three u64, of which only the lower halves have bits. Calls are synchronous. */
const OPEN_HOW = new Uint32Array(6);
const OPEN_HOW_BYTES = asArgument(OPEN_HOW.byteLength);

/**
 * Opens a path (ended by a NUL) below a directory; EAGAIN means a rename raced with the resolution of `..` and is worth another try.
 * @throws ErrnoError
 */
export function openAt(dirfd: number, path: Uint8Array, flags: number, mode: number, resolve: number): number {
	OPEN_HOW[0] = flags;
	OPEN_HOW[2] = mode;
	OPEN_HOW[4] = resolve;
	for (let attempt = 1; ; attempt++) {
		// Called directly: the general `syscall` would take longer than the kernel does.
		const fd = Number(libc.syscall(SYS_OPENAT2, asArgument(dirfd), path, OPEN_HOW, OPEN_HOW_BYTES, null, null));
		if (fd >= 0) return fd;
		const errno = lastErrno();
		if (errno !== EAGAIN || attempt === EAGAIN_ATTEMPTS) throw errnoError(errno, "openat2", path.subarray(0, -1));
	}
}

/** An integer in a register, through the foreign function interface's pointers. */
export function asArgument(value: number): Pointer {
	return value as Pointer;
}
