import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConflictError, errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import type { LocalVolumeDriver, VolumeCleanUp, VolumeTrees } from "../../core/volume/volume-driver.ts";
import type { VolumeRecord } from "../../core/volume/volume-record.ts";
import { syncTree } from "../linux/durability.ts";
import { isMountPoint } from "../linux/mountinfo.ts";
import { forgetLimit, hasProjectQuota, limitDirectory } from "../linux/project-quota.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { type DiskFile, makeDiskFile, mountDiskFile } from "./disk-file.ts";
import { checkVolumeOptions, diskOf, optionMount, quotaOf } from "./mount-options.ts";
import { isQuickMount, mountFailure, mountOption, unmountOption } from "./option-mount.ts";
import { moveContents, removeEmpty, removeTree } from "./volume-directory.ts";

/** Directories under removal begin with this; no volume's name can. */
const REMOVED_PREFIX = ".removed-";
const FILLING = "_filling";
const DATA = "_data";
const DISK = "_disk";
const DISK_BLOCK_BYTES = 512;
/** Holder of a mount while a fresh volume is being filled. */
const FILLER = "filling";

/**
 * The `local` volume driver.
 *
 * ```
 * <root>/<name>/_filling       files while they are copied or unpacked; becomes _data
 * <root>/<name>/_data          files, or what the options say mounted there while somebody holds it
 * <root>/<name>/_disk          the file system of a volume that has a type and a size and no device
 * <root>/.removed-<random>     a removal that was begun: certain to be completed
 * ```
 */
export class FsVolumeDriver implements LocalVolumeDriver {
	readonly #root: string;
	readonly #trees: VolumeTrees;
	/** Who has the volume mounted, by volume. */
	readonly #holders = new Map<string, Set<string>>();

	/** @param root without symlinks in its path, as mounts are found again by it */
	constructor(root: string, trees: VolumeTrees) {
		this.#root = root;
		this.#trees = trees;
	}

	mountpoint(name: string): string {
		return join(this.#root, name, DATA);
	}

	check({ name, options }: Pick<VolumeRecord, "name" | "options">): void {
		checkVolumeOptions(name, options, () => existsSync(this.#root) && hasProjectQuota(this.#root));
	}

	exists(name: string): boolean {
		return existsSync(this.#directory(name));
	}

	isMadeInSteps({ options }: Pick<VolumeRecord, "options">): boolean {
		return diskOf(options) !== undefined;
	}

	async create(record: VolumeRecord): Promise<void> {
		this.check(record);
		const target = this.mountpoint(record.name);
		const directory = this.#directory(record.name);
		try {
			const isNew = (await mkdir(directory, { recursive: true, mode: 0o755 })) !== undefined;
			const quota = quotaOf(record.options);
			if (isNew && quota > 0) limitDirectory(directory, quota);
			await mkdir(target, { recursive: true, mode: 0o755 });
			const disk = this.#disk(record);
			if (disk !== undefined) await makeDiskFile(disk, target);
		} catch (cause) {
			throw new SystemError(`error while creating volume path '${target}': ${errorMessage(cause)}`, { cause });
		}
	}

	async withdraw({ name }: VolumeRecord): Promise<void> {
		await removeEmpty(this.mountpoint(name), this.#directory(name));
	}

	async remove(record: VolumeRecord): Promise<void> {
		if ((this.#holders.get(record.name)?.size ?? 0) > 0)
			throw new ConflictError(`remove ${record.name}: volume has active mounts`);
		await this.#unmount(record);
		const doomed = join(this.#root, `${REMOVED_PREFIX}${randomBytes(8).toString("hex")}`);
		try {
			await rename(this.#directory(record.name), doomed);
		} catch (cause) {
			if (errnoCode(cause) === "ENOENT") return;
			throw new SystemError(`remove ${record.name}: ${errorMessage(cause)}`, { cause });
		}
		await this.#destroy(doomed);
	}

	async mount(record: VolumeRecord, holder: string): Promise<string> {
		const target = this.mountpoint(record.name);
		if (!hasMount(record)) {
			if (!existsSync(target)) await this.create(record);
		} else if (!isMountPoint(target)) {
			await mkdir(target, { recursive: true });
			await this.#mountOptions(record, target);
		}
		const holders = this.#holders.get(record.name) ?? new Set();
		holders.add(holder);
		this.#holders.set(record.name, holders);
		return target;
	}

	async unmount(record: VolumeRecord, holder: string): Promise<void> {
		const holders = this.#holders.get(record.name);
		holders?.delete(holder);
		if (holders !== undefined && holders.size > 0) return;
		this.#holders.delete(record.name);
		await this.#unmount(record);
	}

	async usage(record: VolumeRecord): Promise<number> {
		const disk = this.#disk(record);
		if (disk !== undefined) return await allocatedBytes(disk.path);
		// What a device holds is not of this machine, or counted elsewhere.
		return hasMount(record) ? 0 : await this.#trees.size(this.mountpoint(record.name));
	}

	async populate(record: VolumeRecord, sourceRoot: string, sourcePath: string): Promise<void> {
		const target = this.mountpoint(record.name);
		if (!this.#trees.isEmpty(target)) return;
		const source = { root: sourceRoot, path: sourcePath };
		// What is mounted may be another file system: nothing can be moved there.
		if (hasMount(record)) {
			await this.#trees.copy(source, target);
			return;
		}
		// Aside first: half a copy would look like a volume with files of its own, and never be completed.
		const filling = await this.#makeFilling(record);
		try {
			if (!(await this.#trees.copy(source, filling))) return;
			// A container that has the directory mounted already would not see another in its place.
			if ((this.#holders.get(record.name)?.size ?? 0) > 1) moveContents(this.#directory(record.name), FILLING, DATA);
			else await rename(filling, target);
		} finally {
			await removeTree(filling, this.#root);
		}
	}

	async fill(record: VolumeRecord, work: (directory: string) => Promise<void>): Promise<void> {
		if (hasMount(record)) {
			try {
				await work(await this.mount(record, FILLER));
			} finally {
				await this.unmount(record, FILLER);
			}
			return;
		}
		const filling = await this.#makeFilling(record);
		await work(filling);
		await syncTree(filling);
		await rename(filling, this.mountpoint(record.name));
	}

	async rename(formerName: string, record: VolumeRecord): Promise<void> {
		if ((this.#holders.get(formerName)?.size ?? 0) > 0)
			throw new ConflictError(`rename ${formerName}: volume has active mounts`);
		try {
			using root = RootDirectory.open(this.#root);
			root.rename(formerName, record.name, { noReplace: true });
		} catch (cause) {
			const code = errnoCode(cause);
			if (code === "ENOENT" && this.exists(record.name)) return;
			if (code === "EEXIST")
				throw new ConflictError(`rename ${formerName}: ${this.#directory(record.name)} is there already`, { cause });
			throw new SystemError(`rename ${formerName}: ${errorMessage(cause)}`, { cause });
		}
	}

	async cleanUp(keep: {
		readonly names: ReadonlySet<string>;
		readonly mounted: ReadonlySet<string>;
	}): Promise<VolumeCleanUp> {
		await mkdir(this.#root, { recursive: true, mode: 0o701 });
		const found = await readdir(this.#root);
		const problems: string[] = [];
		for (const name of found) {
			try {
				await this.#cleanUpOne(name, keep);
			} catch (error) {
				problems.push(errorMessage(error));
			}
		}
		return { gone: [...keep.names].filter((name) => !found.includes(name)), problems };
	}

	async #cleanUpOne(
		name: string,
		{ names, mounted }: { readonly names: ReadonlySet<string>; readonly mounted: ReadonlySet<string> },
	): Promise<void> {
		const target = this.mountpoint(name);
		if (name.startsWith(REMOVED_PREFIX)) return await this.#destroy(this.#directory(name));
		// A creation that a crash cut short. A directory with files in it is not ours to judge.
		if (!names.has(name)) return await removeEmpty(target, this.#directory(name));
		await removeTree(join(this.#directory(name), FILLING), this.#root);
		if (!mounted.has(name) && isMountPoint(target)) await unmountOption(target, { isQuick: false });
	}

	async #destroy(doomed: string): Promise<void> {
		forgetLimit(doomed);
		await removeTree(doomed, this.#root);
	}

	async #makeFilling(record: VolumeRecord): Promise<string> {
		const filling = join(this.#directory(record.name), FILLING);
		await removeTree(filling, this.#root);
		await mkdir(filling);
		return filling;
	}

	async #mountOptions(record: VolumeRecord, target: string): Promise<void> {
		try {
			const disk = this.#disk(record);
			if (disk !== undefined) return await mountDiskFile(disk, record.options["o"] ?? "", target);
			const settled = await optionMount(record.options);
			if (settled !== undefined) await mountOption(settled, target);
		} catch (cause) {
			throw mountFailure(target, cause);
		}
	}

	async #unmount(record: VolumeRecord): Promise<void> {
		if (hasMount(record)) await unmountOption(this.mountpoint(record.name), { isQuick: isQuickMount(record.options) });
	}

	#disk(record: VolumeRecord): DiskFile | undefined {
		const disk = diskOf(record.options);
		return disk === undefined ? undefined : { path: join(this.#directory(record.name), DISK), ...disk };
	}

	#directory(name: string): string {
		return join(this.#root, name);
	}
}

function hasMount({ options }: VolumeRecord): boolean {
	return options["device"] !== undefined || diskOf(options) !== undefined;
}

async function allocatedBytes(path: string): Promise<number> {
	try {
		return (await stat(path)).blocks * DISK_BLOCK_BYTES;
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return 0;
		throw error;
	}
}
