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

const STATX_ATTR_MOUNT_ROOT = 0x2000;
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

/** Trees are walked a call for each file: the kernel's answer is read out of it at once. */
const SCRATCH = new Uint8Array(256);
const VIEW = new DataView(SCRATCH.buffer);

/** Status of one name in a directory (never follows a symlink there), or of the descriptor itself for "". @throws ErrnoError */
export function statusAt(dirfd: number, name: PathLike): FileStatus {
	const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.length === 0 ? AT_EMPTY_PATH : 0);
	check(libc.statx(dirfd, cString(name), flags, STATX_BASIC_STATS, SCRATCH), "statx", name);
	return parseStatx(VIEW);
}

/** struct statx, include/uapi/linux/stat.h. */
function parseStatx(view: DataView): FileStatus {
	const mode = view.getUint16(28, true);
	return {
		kind: KINDS[mode >> 12] ?? "file",
		permissions: mode & 0o7777,
		uid: view.getUint32(20, true),
		gid: view.getUint32(24, true),
		sizeBytes: Number(view.getBigUint64(40, true)),
		blocks: Number(view.getBigUint64(48, true)),
		inode: view.getBigUint64(32, true),
		linkCount: view.getUint32(16, true),
		device: deviceName(view.getUint32(136, true), view.getUint32(140, true)),
		deviceMajor: view.getUint32(128, true),
		deviceMinor: view.getUint32(132, true),
		accessedNs: timeAt(view, 64),
		changedNs: timeAt(view, 96),
		modifiedNs: timeAt(view, 112),
		isMountPoint: (view.getUint32(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0,
	};
}

function timeAt(view: DataView, offset: number): bigint {
	return view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
}

/** Most files looked at one after the other are on one device. */
let lastDevice = { major: -1, minor: -1, name: "" };

function deviceName(major: number, minor: number): string {
	if (lastDevice.major !== major || lastDevice.minor !== minor)
		lastDevice = { major, minor, name: `${major}:${minor}` };
	return lastDevice.name;
}
