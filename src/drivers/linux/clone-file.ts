import type { Pointer } from "bun:ffi";
import { errnoCode } from "../../base/errors.ts";
import { check, libc } from "./libc.ts";

/** _IOW(0x94, 9, int), include/uapi/linux/fs.h. */
const FICLONE = 0x40049409;

/**
 * Makes the empty file `target` share all blocks of `source` (a reflink), which takes no space and hardly any time.
 * @returns false where the file system cannot
 */
export function cloneFile(source: number, target: number): boolean {
	try {
		check(libc.ioctl(target, FICLONE, source as Pointer), "ioctl FICLONE", target);
		return true;
	} catch (error) {
		// EINVAL: not a regular file, or one that cannot be shared (btrfs without copy-on-write); EXDEV: another file system.
		if (["EOPNOTSUPP", "ENOTTY", "EINVAL", "EXDEV", "ENOSYS"].includes(errnoCode(error) ?? "")) return false;
		throw error;
	}
}
