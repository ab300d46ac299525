/** statx(2): what `node:fs` stat gives, with nanoseconds as bigint and device numbers split, read in one call. */
import { check, cString, libc, type PathLike } from "./libc.ts";

export type FileKind = "file" | "directory" | "symlink" | "character-device" | "block-device" | "fifo" | "socket";

export interface FileStatus {
	readonly kind: FileKind;
	/** Permission bits with setuid, setgid and sticky: 0o7777. */
	readonly permissions: number;
	readonly uid: number;
	readonly gid: number;
	readonly sizeBytes: number;
	/** 512-byte units in use. */
	readonly blocks: number;
	readonly inode: bigint;
	readonly linkCount: number;
	/** Device the file lives on, as `major:minor` like in mountinfo. */
	readonly device: string;
	/** Device a device node stands for. */
	readonly deviceMajor: number;
	readonly deviceMinor: number;
	/** Nanoseconds since the epoch. */
	readonly accessedNs: bigint;
	readonly modifiedNs: bigint;
	readonly changedNs: bigint;
	/** Something is mounted there (Linux ≥ 5.8; false before). */
	readonly isMountPoint: boolean;
}

const STATX_ATTR_MOUNT_ROOT = 0x2000n;
const STATX_BASIC_STATS = 0x7ff;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_NO_AUTOMOUNT = 0x800;

const KINDS: Readonly<Record<number, FileKind>> = {
	1: "fifo",
	2: "character-device",
	4: "directory",
	6: "block-device",
	8: "file",
	10: "symlink",
	12: "socket",
};

/** Status of one name in a directory (never follows a symlink there), or of the descriptor itself for "". @throws ErrnoError */
export function statusAt(dirfd: number, name: PathLike): FileStatus {
	const buffer = new DataView(new ArrayBuffer(256));
	const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.length === 0 ? AT_EMPTY_PATH : 0);
	check(libc.statx(dirfd, cString(name), flags, STATX_BASIC_STATS, new Uint8Array(buffer.buffer)), "statx", name);
	return parseStatx(buffer);
}

/** struct statx, include/uapi/linux/stat.h. */
function parseStatx(view: DataView): FileStatus {
	const mode = view.getUint16(28, true);
	const time = (offset: number) =>
		view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
	return {
		kind: KINDS[mode >> 12] ?? "file",
		permissions: mode & 0o7777,
		uid: view.getUint32(20, true),
		gid: view.getUint32(24, true),
		sizeBytes: Number(view.getBigUint64(40, true)),
		blocks: Number(view.getBigUint64(48, true)),
		inode: view.getBigUint64(32, true),
		linkCount: view.getUint32(16, true),
		device: `${view.getUint32(136, true)}:${view.getUint32(140, true)}`,
		deviceMajor: view.getUint32(128, true),
		deviceMinor: view.getUint32(132, true),
		accessedNs: time(64),
		changedNs: time(96),
		modifiedNs: time(112),
		isMountPoint: (view.getBigUint64(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0n,
	};
}
