import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import { deviceError, type HostDevice } from "../../core/container/device.ts";

/** Of /dev, what belongs to the host's own session or is made anew in every container. */
const SKIPPED_DIRECTORIES = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);

/** @throws InvalidParameterError when nothing is there */
export function devicesAt(path: string): HostDevice[] {
	try {
		const status = statSync(path);
		return status.isDirectory() ? devicesBelow(path) : deviceOf(path, status);
	} catch (cause) {
		if (errnoCode(cause) === "ENOENT") throw deviceError(path, "no such file or directory");
		throw new SystemError(`cannot look at device ${path}: ${errorMessage(cause)}`, { cause });
	}
}

export function allDevices(): HostDevice[] {
	return devicesBelow("/dev").filter(({ path }) => path !== "/dev/console");
}

function devicesBelow(directory: string): HostDevice[] {
	return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
		const path = join(directory, entry.name);
		if (entry.isDirectory()) return SKIPPED_DIRECTORIES.has(entry.name) ? [] : devicesBelow(path);
		if (entry.isSymbolicLink()) return [];
		// What the entry says of itself is not asked: a device bound over a file is listed as that file.
		try {
			return deviceOf(path, lstatSync(path));
		} catch (error) {
			// Unplugged meanwhile.
			if (errnoCode(error) === "ENOENT") return [];
			throw error;
		}
	});
}

function deviceOf(path: string, status: ReturnType<typeof lstatSync> & object): HostDevice[] {
	const type = status.isCharacterDevice() ? "c" : status.isBlockDevice() ? "b" : undefined;
	if (type === undefined) return [];
	const device = Number(status.rdev);
	return [
		{
			path,
			type,
			// dev_t of glibc: twelve bits of major, then twenty of minor around it.
			major: (device >>> 8) & 0xfff,
			minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
			mode: Number(status.mode) & 0o7777,
			uid: Number(status.uid),
			gid: Number(status.gid),
		},
	];
}
