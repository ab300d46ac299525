/**
 * Limits on what a directory holds: project quotas of ext4 (feature `project`, mounted with `prjquota`) and xfs (`pquota`). A
 * project is a number that files inherit from their directory (FS_XFLAG_PROJINHERIT); the kernel counts and limits by it.
 * quotactl_fd(2) (Linux ≥ 5.14) takes the commands that quota(8) uses on every file system that has quotas.
 */
import { randomInt } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { dirname } from "node:path";
import { errnoCode, SystemError } from "../../base/errors.ts";
import { check, libc, syscall } from "./libc.ts";

const SYS_QUOTACTL_FD = 443;
const Q_GETINFO = 0x800005;
const Q_GETQUOTA = 0x800007;
const Q_SETQUOTA = 0x800008;
const PRJQUOTA = 2;
const QIF_BLIMITS = 1;
const QUOTA_BLOCK_BYTES = 1024;
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
/** Beyond what people number projects by in /etc/projects, and what Docker counts up from. */
const FIRST_PROJECT = 1 << 24;
const LAST_PROJECT = 2 ** 31 - 1;
const PROJECT_ATTEMPTS = 64;

/** Whether the file system that a directory lies on counts projects. */
export function hasProjectQuota(directory: string): boolean {
	return withDirectory(directory, (fd) => {
		try {
			quotactl(fd, Q_GETINFO, 0, new Uint8Array(24));
			return true;
		} catch (error) {
			// ESRCH: the file system could, but is mounted without; ENOSYS, ENOTTY, EOPNOTSUPP, EINVAL: it or the kernel cannot.
			if (["ESRCH", "ENOSYS", "EOPNOTSUPP", "ENOTTY", "EINVAL", "ENODEV"].includes(errnoCode(error) ?? ""))
				return false;
			throw error;
		}
	});
}

/** Puts an empty directory, and all that will be in it, into a project of its own with a limit. @throws ErrnoError */
export function limitDirectory(directory: string, sizeBytes: number): void {
	withDirectory(directory, (fd) => {
		const project = freeProject(fd);
		setLimit(fd, project, sizeBytes);
		const attributes = readAttributes(fd);
		attributes.setUint32(0, attributes.getUint32(0, true) | FS_XFLAG_PROJINHERIT, true);
		attributes.setUint32(12, project, true);
		check(libc.ioctl(fd, FS_IOC_FSSETXATTR, new Uint8Array(attributes.buffer)), "ioctl FSSETXATTR", directory);
	});
}

/** Forgets the limit of a directory that is about to be removed; one without a limit of its own is left alone. @throws ErrnoError */
export function forgetLimit(directory: string): void {
	const around = withDirectory(dirname(directory), projectOf);
	withDirectory(directory, (fd) => {
		const project = projectOf(fd);
		if (project >= FIRST_PROJECT && project !== around) setLimit(fd, project, 0);
	});
}

function projectOf(fd: number): number {
	try {
		return readAttributes(fd).getUint32(12, true);
	} catch (error) {
		if (["ENOTTY", "EOPNOTSUPP"].includes(errnoCode(error) ?? "")) return 0;
		throw error;
	}
}

/** struct fsxattr: xflags, extsize, nextents, projid, cowextsize, padding. */
function readAttributes(fd: number): DataView {
	const attributes = new DataView(new ArrayBuffer(28));
	check(libc.ioctl(fd, FS_IOC_FSGETXATTR, new Uint8Array(attributes.buffer)), "ioctl FSGETXATTR", fd);
	return attributes;
}

/** One that nothing is counted or limited by. */
function freeProject(fd: number): number {
	for (let attempt = 0; attempt < PROJECT_ATTEMPTS; attempt++) {
		const project = randomInt(FIRST_PROJECT, LAST_PROJECT);
		if (isFree(fd, project)) return project;
	}
	throw new SystemError("no free quota project was found");
}

/** struct if_dqblk: bhardlimit, bsoftlimit, curspace, ihardlimit, isoftlimit, curinodes, btime, itime; valid (32 bits). */
function isFree(fd: number, project: number): boolean {
	const block = new DataView(new ArrayBuffer(72));
	try {
		quotactl(fd, Q_GETQUOTA, project, new Uint8Array(block.buffer));
	} catch (error) {
		if (["ESRCH", "ENOENT"].includes(errnoCode(error) ?? "")) return true; // never heard of
		throw error;
	}
	return [0, 8, 16, 24, 32, 40].every((offset) => block.getBigUint64(offset, true) === 0n);
}

function setLimit(fd: number, project: number, sizeBytes: number): void {
	const block = new DataView(new ArrayBuffer(72));
	const blocks = BigInt(Math.ceil(sizeBytes / QUOTA_BLOCK_BYTES));
	block.setBigUint64(0, blocks, true);
	block.setBigUint64(8, blocks, true);
	block.setUint32(64, QIF_BLIMITS, true);
	quotactl(fd, Q_SETQUOTA, project, new Uint8Array(block.buffer));
}

function quotactl(fd: number, command: number, project: number, buffer: Uint8Array): void {
	syscall("quotactl_fd", SYS_QUOTACTL_FD, project, fd, ((command << 8) | PRJQUOTA) >>> 0, project, buffer);
}

function withDirectory<T>(directory: string, work: (fd: number) => T): T {
	const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		return work(fd);
	} finally {
		closeSync(fd);
	}
}
