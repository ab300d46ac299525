import type { ContainerConfig, HostConfig } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ContainerMount } from "./container-record.ts";
import { cleanPath, faultOfTarget, type MountContext, parseBind, parseMode, parseMountRequest } from "./mount-spec.ts";

export interface MountSources extends MountContext {
	/** Mounts of the container `name`, for `--volumes-from`. @throws NotFoundError */
	readonly mountsOf: (name: string) => readonly ContainerMount[];
}

/**
 * Every mount of a new container. What `--volumes-from` brings gives way to the request's own mounts at the same place, and
 * a volume the image asks for to both; two of the request's own at one place are an error.
 * @throws InvalidParameterError, SystemError (malformed `-v`), NotFoundError
 */
export function collectMounts(
	config: ContainerConfig,
	hostConfig: HostConfig,
	sources: MountSources,
): ContainerMount[] {
	const own = new Map<string, ContainerMount>();
	const claim = (mount: ContainerMount) => {
		if (own.has(mount.target)) throw new InvalidParameterError(`Duplicate mount point: ${mount.target}`);
		own.set(mount.target, mount);
	};
	for (const spec of hostConfig.Binds ?? []) claim(parseBind(spec, sources));
	for (const request of hostConfig.Mounts ?? []) claim(parseMountRequest(request, sources));
	for (const [target, options] of Object.entries(hostConfig.Tmpfs ?? {})) claim(parseTmpfs(target, options));
	const all = new Map<string, ContainerMount>();
	for (const spec of hostConfig.VolumesFrom ?? [])
		for (const mount of inheritMounts(spec, sources)) all.set(mount.target, mount);
	for (const [target, mount] of own) all.set(target, mount);
	for (const path of Object.keys(config.Volumes ?? {})) {
		const mount = imageVolume(path, sources);
		if (!all.has(mount.target)) all.set(mount.target, mount);
	}
	return [...all.values()];
}

function parseTmpfs(target: string, options: string): ContainerMount {
	const fault = faultOfTarget(target);
	if (fault !== undefined) throw new InvalidParameterError(fault);
	const list = options.split(",").filter((option) => option !== "");
	return {
		type: "tmpfs",
		source: "",
		target: cleanPath(target),
		readOnly: list.includes("ro"),
		createSource: false,
		recursive: true,
		readOnlyRecursive: "if-possible",
		propagation: "",
		mode: "",
		tmpfs: { options: list },
		origin: "tmpfs",
	};
}

function imageVolume(path: string, context: MountContext): ContainerMount {
	const target = cleanPath(`/${path}`);
	const fault = faultOfTarget(target);
	if (fault !== undefined) throw new InvalidParameterError(fault);
	return {
		type: "volume",
		source: context.newVolumeName(),
		target,
		readOnly: false,
		createSource: false,
		recursive: true,
		readOnlyRecursive: "if-possible",
		propagation: "",
		mode: "",
		volume: { driver: context.volumeDriver, anonymous: true, copy: true, subpath: "" },
		origin: "image",
	};
}

/** `container[:ro|rw|…]`; a mount that is read-only there stays so here. */
function inheritMounts(spec: string, sources: MountSources): ContainerMount[] {
	if (spec === "") throw new InvalidParameterError("volumes-from specification cannot be an empty string");
	const [name = "", modeText = "", ...rest] = spec.split(":");
	if (rest.length > 0) throw new InvalidParameterError(`invalid volumes-from specification: ${spec}`);
	const mode = parseMode(modeText);
	if (mode === undefined || mode.propagation !== "" || mode.copy !== undefined || mode.idMap !== undefined)
		throw new InvalidParameterError(`invalid mode: ${modeText}`);
	return sources
		.mountsOf(name)
		.filter(({ origin }) => origin !== "tmpfs")
		.map((mount) => ({
			...mount,
			readOnly: mount.readOnly || mode.readOnly,
			mode: modeText === "" ? mount.mode : modeText,
			origin: "volumes-from",
			...(mount.volume === undefined ? {} : { volume: { ...mount.volume, copy: false } }),
		}));
}
