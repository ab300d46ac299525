import type { HostConfig } from "../../api/engine/container.ts";
import type { MountSpec } from "../../api/oci/runtime-spec.ts";
import { SystemError } from "../../base/errors.ts";
import type { ContainerMount } from "./container-record.ts";
import { mergeTmpfsOptions } from "./tmpfs-options.ts";

export interface MountInput {
	readonly hostConfig: HostConfig;
	readonly mounts: readonly ContainerMount[];
	/** Host directory of each volume and image mount, by target. */
	readonly sources: ReadonlyMap<string, string>;
	/** Files of this container that stand for those of the image; absent ones are not mounted. */
	readonly files: { readonly hosts?: string; readonly hostname?: string; readonly resolvConf?: string };
	/** Host directory of the shared-memory file system, when it is shared with other containers. */
	readonly shmPath?: string;
	/** Init program of the host for `--init`. */
	readonly initPath?: string;
	readonly writableCgroups: boolean;
	/** Whether kernel and OCI runtime can make whole trees read-only. */
	readonly recursiveReadOnly: boolean;
}

/** Where `--init` puts the init program. */
export const INIT_TARGET = "/sbin/docker-init";

/**
 * All mounts in the order to make them: the system's own, then the user's from the root downwards. A mount of the user
 * replaces a system mount at the same place, and one on `/dev` all below it.
 * @throws InvalidParameterError (tmpfs options), SystemError
 */
export function buildMounts(input: MountInput): MountSpec[] {
	const targets = new Set(input.mounts.map(({ target }) => target));
	const system = systemMounts(input).filter(
		({ destination }) =>
			!targets.has(destination) &&
			!(targets.has("/dev") && destination.startsWith("/dev/")) &&
			!(targets.has("/sys") && destination.startsWith("/sys/")),
	);
	const user = [
		...initMount(input),
		...input.mounts.map((mount) => userMount(mount, input)),
		...fileMounts(input).filter(({ destination }) => !targets.has(destination)),
	];
	return [...system, ...user.sort((one, other) => depth(one.destination) - depth(other.destination))];
}

function depth(path: string): number {
	return path.split("/").length;
}

function systemMounts(input: MountInput): MountSpec[] {
	const { hostConfig } = input;
	const privileged = hostConfig.Privileged ?? false;
	const restricted = ["nosuid", "noexec", "nodev"];
	return [
		{ destination: "/proc", type: "proc", source: "proc", options: restricted },
		{
			destination: "/dev",
			type: "tmpfs",
			source: "tmpfs",
			options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
		},
		{
			destination: "/dev/pts",
			type: "devpts",
			source: "devpts",
			options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
		},
		{ destination: "/sys", type: "sysfs", source: "sysfs", options: privileged ? restricted : [...restricted, "ro"] },
		{
			destination: "/sys/fs/cgroup",
			type: "cgroup",
			source: "cgroup",
			options: privileged || input.writableCgroups ? restricted : ["ro", ...restricted],
		},
		// Shows the queues of the IPC namespace that the container has, the host's included.
		{ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: restricted },
		...sharedMemoryMount(input, restricted),
	];
}

function sharedMemoryMount(input: MountInput, restricted: string[]): MountSpec[] {
	const { IpcMode = "", ShmSize = 0 } = input.hostConfig;
	const destination = "/dev/shm";
	if (IpcMode === "none") return [];
	const source = IpcMode === "host" ? "/dev/shm" : input.shmPath;
	if (source !== undefined)
		return [
			{ destination, type: "bind", source, options: ["rbind", "rprivate", ...(IpcMode === "host" ? [] : restricted)] },
		];
	return [{ destination, type: "tmpfs", source: "shm", options: [...restricted, "mode=1777", `size=${ShmSize}`] }];
}

function initMount(input: MountInput): MountSpec[] {
	if (input.initPath === undefined) return [];
	return [{ destination: INIT_TARGET, type: "bind", source: input.initPath, options: ["bind", "ro"] }];
}

function fileMounts(input: MountInput): MountSpec[] {
	const { hosts, hostname, resolvConf } = input.files;
	const readOnly = input.hostConfig.ReadonlyRootfs === true ? ["ro"] : [];
	const entries = [
		["/etc/resolv.conf", resolvConf],
		["/etc/hostname", hostname],
		["/etc/hosts", hosts],
	] as const;
	return entries.flatMap(([destination, source]) =>
		source === undefined ? [] : [{ destination, type: "bind", source, options: ["rbind", "rprivate", ...readOnly] }],
	);
}

function userMount(mount: ContainerMount, input: MountInput): MountSpec {
	const destination = mount.target;
	if (mount.type === "tmpfs") {
		const options = mergeTmpfsOptions([...(mount.tmpfs?.options ?? []), ...(mount.readOnly ? ["ro"] : [])]);
		return { destination, type: "tmpfs", source: "tmpfs", options };
	}
	const source = input.sources.get(destination) ?? (mount.type === "bind" ? mount.source : undefined);
	if (source === undefined) throw new SystemError(`the source of the mount at ${destination} is not there`);
	return { destination, type: "bind", source, options: bindOptions(mount, input.recursiveReadOnly) };
}

function bindOptions(mount: ContainerMount, recursiveReadOnly: boolean): string[] {
	const options = [mount.recursive ? "rbind" : "bind"];
	if (mount.readOnly) options.push(readOnlyOption(mount, recursiveReadOnly));
	if (mount.propagation !== "") options.push(mount.propagation);
	return options;
}

function readOnlyOption(mount: ContainerMount, recursiveReadOnly: boolean): "ro" | "rro" {
	if (mount.readOnlyRecursive === "always" && !recursiveReadOnly)
		throw new SystemError("recursive read-only mounts are not supported by the kernel or the OCI runtime");
	if (!mount.recursive || mount.readOnlyRecursive === "never") return "ro";
	// Volumes are file systems of ours: nothing is mounted below them.
	return recursiveReadOnly && mount.type === "bind" ? "rro" : "ro";
}

/** Propagation that the root file system's mount needs, so that that of the binds can work. */
export function rootPropagation(mounts: readonly ContainerMount[]): "shared" | "rslave" | undefined {
	const all = mounts.map(({ propagation }) => propagation);
	if (all.some((propagation) => propagation === "shared" || propagation === "rshared")) return "shared";
	return all.some((propagation) => propagation === "slave" || propagation === "rslave") ? "rslave" : undefined;
}
