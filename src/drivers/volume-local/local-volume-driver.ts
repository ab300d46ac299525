import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { ConflictError, ErrnoError, errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import type { VolumeDriver, VolumeRecord } from "../../core/volume/volume-record.ts";
import { errnoText } from "../linux/errno.ts";
import { bindMount, MS, mount, unmountAll } from "../linux/mount.ts";
import { isMountPoint } from "../linux/mountinfo.ts";
import { copyDirectory, moveContents, treeSize } from "./directory-tree.ts";
import { checkVolumeOptions, type OptionMount, optionMount } from "./mount-options.ts";

/** Directories under removal begin with this; no volume's name can. */
const REMOVED_PREFIX = ".removed-";
const FILLING = "_filling";
const DATA = "_data";

/**
 * The `local` volume driver.
 *
 * ```
 * <root>/<name>/_filling       the image's files while they are copied; becomes _data
 * <root>/<name>/_data          files, or what the options say mounted there while a container holds it
 * <root>/.removed-<random>     a removal that was begun: certain to be completed
 * ```
 */
export class LocalVolumeDriver implements VolumeDriver {
	readonly #root: string;
	/** Containers that have the volume mounted, by volume. */
	readonly #holders = new Map<string, Set<string>>();

	constructor(root: string) {
		this.#root = root;
	}

	mountpoint(name: string): string {
		return join(this.#root, name, DATA);
	}

	check(record: VolumeRecord): void {
		checkVolumeOptions(record.name, record.options);
	}

	async create(record: VolumeRecord): Promise<void> {
		checkVolumeOptions(record.name, record.options);
		try {
			await mkdir(this.mountpoint(record.name), { recursive: true, mode: 0o755 });
		} catch (cause) {
			throw new SystemError(
				`error while creating volume path '${this.mountpoint(record.name)}': ${errorMessage(cause)}`,
				{
					cause,
				},
			);
		}
	}

	async remove(record: VolumeRecord): Promise<void> {
		if ((this.#holders.get(record.name)?.size ?? 0) > 0)
			throw new ConflictError(`remove ${record.name}: volume has active mounts`);
		if (hasMount(record)) unmountAll(this.mountpoint(record.name));
		const doomed = join(this.#root, `${REMOVED_PREFIX}${randomBytes(8).toString("hex")}`);
		try {
			await rename(join(this.#root, record.name), doomed);
		} catch (cause) {
			if (errnoCode(cause) === "ENOENT") return;
			throw new SystemError(`remove ${record.name}: ${errorMessage(cause)}`, { cause });
		}
		await removeTree(doomed);
	}

	async mount(record: VolumeRecord, holder: string): Promise<string> {
		const target = this.mountpoint(record.name);
		const settled = await this.#optionMount(record);
		if (settled === undefined) {
			if (!existsSync(target)) await this.create(record);
		} else if (!isMountPoint(target)) {
			await mkdir(target, { recursive: true });
			mountOption(settled, target);
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
		if (hasMount(record)) unmountAll(this.mountpoint(record.name));
	}

	async usage(record: VolumeRecord): Promise<number> {
		return await treeSize(this.mountpoint(record.name));
	}

	async populate(record: VolumeRecord, sourceRoot: string, sourcePath: string): Promise<void> {
		const target = this.mountpoint(record.name);
		if ((await readdir(target)).length > 0) return;
		// What the options name may be another file system: nothing can be moved there.
		if (hasMount(record)) {
			await copyDirectory(sourceRoot, sourcePath, target);
			return;
		}
		// Aside first: half a copy would look like a volume with files of its own, and never be completed.
		const filling = join(this.#root, record.name, FILLING);
		await removeTree(filling);
		await mkdir(filling);
		try {
			if (!(await copyDirectory(sourceRoot, sourcePath, filling))) return;
			// A container that has the directory mounted already would not see another in its place.
			if ((this.#holders.get(record.name)?.size ?? 0) > 1) moveContents(join(this.#root, record.name), FILLING, DATA);
			else await rename(filling, target);
		} finally {
			await removeTree(filling);
		}
	}

	async cleanUp(keep: {
		readonly names: ReadonlySet<string>;
		readonly mounted: ReadonlySet<string>;
	}): Promise<readonly string[]> {
		await mkdir(this.#root, { recursive: true, mode: 0o701 });
		const found = await readdir(this.#root);
		for (const name of found) {
			if (name.startsWith(REMOVED_PREFIX)) await removeTree(join(this.#root, name));
			else if (!keep.names.has(name)) await this.#dropEmpty(name);
			else await removeTree(join(this.#root, name, FILLING));
			if (keep.names.has(name) && !keep.mounted.has(name) && isMountPoint(this.mountpoint(name)))
				unmountAll(this.mountpoint(name));
		}
		return [...keep.names].filter((name) => !found.includes(name));
	}

	/** A directory without a record: a creation that a crash cut short. One with files in it is not ours to judge. */
	async #dropEmpty(name: string): Promise<void> {
		// The crash may have come between the two.
		for (const path of [this.mountpoint(name), join(this.#root, name)]) {
			try {
				await rmdir(path);
			} catch (error) {
				const code = errnoCode(error);
				if (code !== "ENOTEMPTY" && code !== "ENOENT" && code !== "ENOTDIR" && code !== "EBUSY") throw error;
			}
		}
	}

	async #optionMount(record: VolumeRecord): Promise<OptionMount | undefined> {
		try {
			return await optionMount(record.options);
		} catch (cause) {
			throw mountFailure(this.mountpoint(record.name), cause);
		}
	}
}

function hasMount(record: VolumeRecord): boolean {
	return record.options["device"] !== undefined;
}

function mountOption(settled: OptionMount, target: string): void {
	try {
		if ((settled.flags & MS.BIND) !== 0)
			bindMount(settled.device, target, {
				recursive: (settled.flags & MS.REC) !== 0,
				readOnly: (settled.flags & MS.RDONLY) !== 0,
			});
		else mount(settled.device, target, settled.type, settled.flags, settled.data);
	} catch (cause) {
		throw mountFailure(target, cause, settled);
	}
}

function mountFailure(target: string, cause: unknown, settled?: OptionMount): SystemError {
	const code = errnoCode(cause);
	const why = cause instanceof ErrnoError && code !== undefined ? errnoText(code) : errorMessage(cause);
	const data = settled === undefined || settled.data === "" ? "" : `, data: ${settled.data}`;
	const what =
		settled === undefined ? "" : `mount ${settled.device}:${target}, flags: 0x${settled.flags.toString(16)}${data}: `;
	return new SystemError(`error while mounting volume '${target}': failed to mount local volume: ${what}${why}`, {
		cause,
	});
}

async function removeTree(path: string): Promise<void> {
	await rm(path, { recursive: true, force: true });
}
