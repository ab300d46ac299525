/** Flags that ext2, ext3 and ext4 keep with an inode (chattr(1); ioctl_iflags(2)). */
import { closeSync, constants, openSync } from "node:fs";
import { check, libc } from "./libc.ts";

/** `_IOR('f', 1, long)` and `_IOW('f', 2, long)`; the value is an int in spite of it. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_TOPDIR_FL = 0x00020000;

/**
 * Says that the directories made in this one have nothing to do with each other, so that the file system spreads them over the disk
 * instead of looking for room near by. Where layers come and go, that search is long: ext4 without a journal passes over every inode
 * that was freed in the last minutes, one by one, for each new file.
 * @returns false where the file system has no such flag. @throws ErrnoError when the directory cannot be opened
 */
export function spreadSubdirectories(path: string): boolean {
	const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		const flags = new Uint32Array(2);
		check(libc.ioctl(fd, FS_IOC_GETFLAGS, flags), "ioctl", path);
		flags[0] = (flags[0] ?? 0) | FS_TOPDIR_FL;
		check(libc.ioctl(fd, FS_IOC_SETFLAGS, flags), "ioctl", path);
		return true;
	} catch {
		// Only a hint: other file systems refuse it, in several ways.
		return false;
	} finally {
		closeSync(fd);
	}
}
