/** Devices as the host has them. Whoever has the file system looks them up; the spec only uses what was found. */
import type { DeviceMapping } from "../../api/engine/container.ts";
import type { DeviceRule, DeviceSpec } from "../../api/oci/runtime-spec.ts";
import { InvalidParameterError } from "../../base/errors.ts";

/** A device node; `path` is where it is on the host. */
export interface HostDevice {
	readonly path: string;
	readonly type: "c" | "b";
	readonly major: number;
	readonly minor: number;
	/** Permission bits. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
}

export interface DevicePlan {
	readonly devices: DeviceSpec[];
	readonly rules: DeviceRule[];
}

/** The error for a `--device` that is not there or no device; `why` as errno words it. */
export function deviceError(
	path: string,
	why: "no such file or directory" | "not a device node",
): InvalidParameterError {
	return new InvalidParameterError(`error gathering device information while adding custom device "${path}": ${why}`);
}

/**
 * `--device` mappings. A directory gives every device below it, at the same place below the target.
 * @param find the devices at or below a host path; empty when there is none
 * @throws InvalidParameterError
 */
export function mapDevices(
	mappings: readonly DeviceMapping[],
	find: (path: string) => readonly HostDevice[],
): DevicePlan {
	const plan: DevicePlan = { devices: [], rules: [] };
	for (const { PathOnHost, PathInContainer, CgroupPermissions } of mappings) {
		const found = find(PathOnHost);
		if (found.length === 0) throw deviceError(PathOnHost, "not a device node");
		const target = PathInContainer || PathOnHost;
		for (const device of found) {
			const rest = device.path.startsWith(`${PathOnHost}/`) ? device.path.slice(PathOnHost.length) : "";
			plan.devices.push(deviceSpec(device, target + rest));
			const { type, major, minor } = device;
			plan.rules.push({ allow: true, type, major, minor, access: CgroupPermissions || "rwm" });
		}
	}
	return plan;
}

export function deviceSpec(device: HostDevice, path: string): DeviceSpec {
	const { type, major, minor, mode, uid, gid } = device;
	return { path, type, major, minor, fileMode: mode, uid, gid };
}

/** `c 1:3 rwm`, `b *:* m`, as `--device-cgroup-rule` writes them. @throws InvalidParameterError */
export function parseDeviceRule(text: string): DeviceRule {
	const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
	if (match === null) throw new InvalidParameterError(`invalid device cgroup rule format: '${text}'`);
	const [, type, major, minor, access = ""] = match;
	return {
		allow: true,
		type: type === "c" ? "c" : type === "b" ? "b" : "a",
		...(major === "*" ? {} : { major: Number(major) }),
		...(minor === "*" ? {} : { minor: Number(minor) }),
		access,
	};
}
