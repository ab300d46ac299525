import { posix } from "node:path";
import { errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { ContainerMount, ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles, TreeMount } from "../../core/container/host-files.ts";
import { imageMounts, imageSnapshotId, snapshotIds } from "../../core/container/image-mounts.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { VolumeService } from "../volume/volume-service.ts";

/** A mount with its host path, ready for the specification. Empty source for tmpfs. */
export interface ResolvedMount {
	readonly mount: ContainerMount;
	readonly source: string;
}

export interface PreparedRoot {
	/** The merged root file system. */
	readonly path: string;
	readonly mounts: readonly ResolvedMount[];
}

export interface ContainerFilesystemDependencies {
	readonly snapshotter: Snapshotter;
	readonly volumes: VolumeService;
	readonly files: ContainerHostFiles;
}

/** Holders of a root file system that are not copies: the run, and the creation while it fills volumes. */
const RUN = "run";
const CREATION = "creation";

/** A container's root file system and what is mounted into it, while it runs. */
export class ContainerFilesystem {
	readonly #deps: ContainerFilesystemDependencies;
	/** Who needs a root file system mounted, by container. */
	readonly #holders = new Map<string, Set<string>>();

	constructor(deps: ContainerFilesystemDependencies) {
		this.#deps = deps;
	}

	/** At create: makes the working directory and the volumes it names, and fills the fresh ones from the image. Idempotent. */
	async establish(record: ContainerRecord): Promise<void> {
		const volumes = record.mounts.filter((mount) => mount.type === "volume");
		for (const mount of volumes) await this.#ensureVolume(record, mount);
		const filled = volumes.filter((mount) => mount.volume?.copy === true && mount.volume.subpath === "");
		if (filled.length === 0 && !hasWorkingDirectory(record)) return;
		const root = await this.holdRoot(record.id, CREATION);
		try {
			this.#ensureWorkingDirectory(record, root);
			for (const mount of filled) await this.#fill(record, mount, root);
		} finally {
			await this.releaseRoot(record.id, CREATION);
		}
	}

	/** Its own volume, or one of the same name that is there. */
	async #ensureVolume(record: ContainerRecord, mount: ContainerMount): Promise<void> {
		await this.#deps.volumes.ensure({
			name: mount.source,
			driver: mount.volume?.driver ?? "",
			...volumeOptions(record, mount),
			anonymous: mount.volume?.anonymous === true,
		});
	}

	/** Mounts the root file system for a user; it stays mounted until the last of them lets go. @returns its path */
	async holdRoot(id: string, holder: string): Promise<string> {
		const holders = this.#holders.get(id) ?? new Set();
		holders.add(holder);
		this.#holders.set(id, holders);
		try {
			return (await this.#deps.snapshotter.mount(id)).mergedPath;
		} catch (error) {
			await this.releaseRoot(id, holder);
			throw error;
		}
	}

	/** Idempotent. */
	async releaseRoot(id: string, holder: string): Promise<void> {
		const holders = this.#holders.get(id);
		holders?.delete(holder);
		if (holders !== undefined && holders.size > 0) return;
		this.#holders.delete(id);
		await this.#deps.snapshotter.unmount(id);
	}

	/** At daemon start: the container runs, on mounts that an earlier daemon made. */
	async adopt(record: ContainerRecord): Promise<void> {
		for (const id of snapshotIds(record)) this.#holders.set(id, new Set([RUN]));
		for (const mount of record.mounts)
			if (mount.type === "volume") await this.#deps.volumes.adopt(mount.source, record.id);
	}

	/** Mounts the root and makes every source available. On failure the caller calls `release`. */
	async prepare(record: ContainerRecord): Promise<PreparedRoot> {
		const mergedPath = await this.holdRoot(record.id, RUN);
		const mounts: ResolvedMount[] = [];
		for (const mount of record.mounts) {
			// A crash during the creation, or a removal by force, may have left the container without it.
			if (mount.type === "volume" && !this.#deps.volumes.has(mount.source)) await this.#ensureVolume(record, mount);
			const settled = mount.type === "bind" ? this.#settleBind(mount) : mount;
			mounts.push({ mount: settled, source: await this.#source(record, settled, record.id) });
		}
		this.#ensureWorkingDirectory(record, mergedPath);
		return { path: mergedPath, mounts };
	}

	/** A volume or a bind may cover it: then what is below them is of no account. */
	#ensureWorkingDirectory(record: ContainerRecord, root: string): void {
		if (hasWorkingDirectory(record)) this.#deps.files.ensureDirectory(root, record.config.WorkingDir ?? "");
	}

	/** Those that no other container uses. Idempotent. */
	async removeAnonymousVolumes(record: ContainerRecord): Promise<void> {
		for (const mount of record.mounts)
			if (mount.type === "volume" && mount.volume?.anonymous === true)
				await this.#deps.volumes.removeIfUnused(mount.source, record.id);
	}

	/** Idempotent. */
	async release(record: ContainerRecord): Promise<void> {
		await this.#releaseSources(record, record.id);
		for (const id of snapshotIds(record)) await this.releaseRoot(id, RUN);
	}

	/**
	 * What lies on top of the root of a container that does not run, for a temporary tree. Sources that are gone are left out.
	 * @param holder to be given to `releaseTreeMounts`
	 */
	async treeMounts(record: ContainerRecord, holder: string): Promise<TreeMount[]> {
		const mounts: TreeMount[] = [];
		for (const mount of record.mounts) {
			if (mount.type === "bind" && this.#deps.files.kindOf(mount.source) === undefined) continue;
			if (mount.type === "tmpfs") continue;
			const source = await this.#source(record, mount, holder);
			mounts.push({ source, target: mount.target, readOnly: mount.readOnly });
		}
		return mounts;
	}

	async releaseTreeMounts(record: ContainerRecord, holder: string): Promise<void> {
		await this.#releaseSources(record, holder);
		for (const mount of imageMounts(record)) await this.releaseRoot(imageSnapshotId(record, mount), holder);
	}

	publishMounts(record: ContainerRecord): void {
		for (const mount of record.mounts) {
			if (mount.type !== "volume") continue;
			this.#deps.volumes.publishMount(mount.source, {
				container: record.id,
				destination: mount.target,
				propagation: mount.propagation,
				"read/write": String(!mount.readOnly),
			});
		}
	}

	publishUnmounts(record: ContainerRecord): void {
		for (const mount of record.mounts)
			if (mount.type === "volume") this.#deps.volumes.publishUnmount(mount.source, record.id);
	}

	async #releaseSources(record: ContainerRecord, holder: string): Promise<void> {
		const { files, volumes } = this.#deps;
		const isApart = (mount: ContainerMount) =>
			subpathOf(mount) !== "" || mount.idMap !== undefined || (mount.type === "bind" && !mount.recursive);
		if (record.mounts.some(isApart)) files.releaseSubpaths(holder);
		for (const mount of record.mounts) if (mount.type === "volume") await volumes.unmount(mount.source, holder);
	}

	async #fill(record: ContainerRecord, mount: ContainerMount, root: string): Promise<void> {
		await this.#deps.volumes.mount(mount.source, record.id);
		try {
			await this.#deps.volumes.populate(mount.source, root, mount.target);
		} finally {
			await this.#deps.volumes.unmount(mount.source, record.id);
		}
	}

	/** @param holder the container's ID for a run, else a copy's */
	async #source(record: ContainerRecord, mount: ContainerMount, holder: string): Promise<string> {
		const source = await this.#plainSource(record, mount, holder);
		const { files } = this.#deps;
		const { recursive, idMap } = mount;
		// crun takes along what is mounted below a bind, whatever it is told.
		const isAlone = mount.type === "bind" && !recursive && files.kindOf(source) === "directory";
		return idMap === undefined && !isAlone ? source : await files.mountApart(holder, source, idMap);
	}

	async #plainSource(record: ContainerRecord, mount: ContainerMount, holder: string): Promise<string> {
		switch (mount.type) {
			case "bind":
				return mount.source;
			case "volume":
				return this.#subpath(mount, await this.#volumeDirectory(mount.source, holder), holder);
			case "image": {
				const snapshot = imageSnapshotId(record, mount);
				const root = await this.holdRoot(snapshot, holder === record.id ? RUN : holder);
				return this.#subpath(mount, root, holder);
			}
			default:
				return "";
		}
	}

	/** Makes sure that the source is there and shares what the container's mount is to share. @throws InvalidParameterError, SystemError */
	#settleBind(mount: ContainerMount): ContainerMount {
		const { files } = this.#deps;
		if (files.kindOf(mount.source) === undefined) {
			if (!mount.createSource)
				throw new InvalidParameterError(
					`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
				);
			files.createBindSource(mount.source);
		}
		const fault = propagationFault(mount, files);
		// Nothing is mounted below a file, and crun refuses to make one read-only recursively.
		const settled = files.kindOf(mount.source) === "file" ? { ...mount, recursive: false } : mount;
		if (fault === undefined) return settled;
		if (mount.impliedPropagation === true) return { ...settled, propagation: "rprivate" };
		throw new SystemError(fault);
	}

	async #volumeDirectory(name: string, holder: string): Promise<string> {
		try {
			return await this.#deps.volumes.mount(name, holder);
		} catch (cause) {
			throw new SystemError(errorMessage(cause), { cause });
		}
	}

	#subpath(mount: ContainerMount, directory: string, holder: string): string {
		const subpath = subpathOf(mount);
		return subpath === "" ? directory : this.#deps.files.mountSubpath(holder, directory, subpath);
	}
}

function subpathOf(mount: ContainerMount): string {
	return (mount.image ?? mount.volume)?.subpath ?? "";
}

/** Options and labels of a `--mount type=volume` request: only the request has them. */
function volumeOptions(record: ContainerRecord, mount: ContainerMount) {
	const request = record.hostConfig.Mounts?.find(
		({ Type, Target }) => Type === "volume" && posix.normalize(Target).replace(/(.)\/$/, "$1") === mount.target,
	)?.VolumeOptions;
	const anonymous = mount.volume?.anonymous === true ? { "com.docker.volume.anonymous": "" } : {};
	return { options: request?.DriverConfig?.Options ?? {}, labels: { ...request?.Labels, ...anonymous } };
}

function hasWorkingDirectory({ config: { WorkingDir = "" } }: ContainerRecord): boolean {
	return WorkingDir !== "" && WorkingDir !== "/";
}

/** The host's mount has to take part in what the container's is to share. */
function propagationFault(mount: ContainerMount, files: ContainerHostFiles): string | undefined {
	const kind = mount.propagation.replace(/^r/, "");
	if (kind !== "shared" && kind !== "slave") return undefined;
	const host = files.propagationOf(mount.source);
	if (host.shared || (kind === "slave" && host.slave)) return undefined;
	return `path ${mount.source} is mounted on ${host.mountPoint} but it is not a ${kind === "shared" ? "shared" : "shared or slave"} mount`;
}
