/**
 * Overlays. Linux ≥ 6.7 takes the layers one by one through the new mount API, as many and as long as they are. Older ones want all
 * options in one string that has to fit into a page (fs/namespace.c, `copy_mount_options`; fs/fs_context.c, `legacy_parse_param`).
 */
import { closeSync, openSync } from "node:fs";
import { release } from "node:os";
import { SystemError } from "../../base/errors.ts";
import { O } from "./file-descriptors.ts";
import { FileSystemContext, type MountAttributes, MS, mount } from "./mount.ts";

export interface OverlayOptions {
	/** Topmost layer first. At least one. */
	readonly lower: readonly string[];
	/** Without upper and work the overlay is read-only and needs two lower layers. */
	readonly upper?: string;
	readonly work?: string;
	/** More options, `name` or `name=value`: `userxattr`, `volatile`, `metacopy=off`, … */
	readonly options?: readonly string[];
	readonly attributes?: MountAttributes;
}

/** Bytes of a page, less the zero at the end. */
const OPTION_STRING_LIMIT = 4095;

const TAKES_LAYERS_ONE_BY_ONE = isAtLeast(release(), 6, 7);

/**
 * Mounts an overlay at `target`. A colon or comma in a path does no harm. Linux before 6.7 takes some 200 layers.
 * @throws ErrnoError with what the kernel's context said, SystemError for more layers than the kernel takes
 */
export function mountOverlay(target: string, options: OverlayOptions): void {
	if (TAKES_LAYERS_ONE_BY_ONE) mountLayerByLayer(target, options);
	else mountByOptionString(target, options);
}

function mountLayerByLayer(target: string, options: OverlayOptions): void {
	const context = new FileSystemContext("overlay");
	try {
		context.set("source", "overlay");
		for (const layer of options.lower) context.set("lowerdir+", layer);
		if (options.upper !== undefined) context.set("upperdir", options.upper);
		if (options.work !== undefined) context.set("workdir", options.work);
		for (const option of options.options ?? []) context.option(option);
		context.mountAt(target, options.attributes ?? {});
	} finally {
		context.close();
	}
}

/** For Linux before 6.7. Directories are named by descriptors: short, and without characters that would need escaping. */
export function mountByOptionString(
	target: string,
	{ lower, upper, work, options = [], attributes }: OverlayOptions,
): void {
	const opened: number[] = [];
	const named = (directory: string): string => {
		const fd = openSync(directory, O.PATH | O.DIRECTORY | O.CLOEXEC);
		opened.push(fd);
		return `/proc/self/fd/${fd}`;
	};
	try {
		const words = [`lowerdir=${lower.map(named).join(":")}`];
		if (upper !== undefined) words.push(`upperdir=${named(upper)}`);
		if (work !== undefined) words.push(`workdir=${named(work)}`);
		const text = [...words, ...options].join(",");
		if (text.length > OPTION_STRING_LIMIT)
			throw new SystemError(`Linux ${release()} cannot stack ${lower.length} layers; 6.7 and later can`);
		mount("overlay", target, "overlay", mountFlags(attributes ?? {}), text);
	} finally {
		for (const fd of opened) closeSync(fd);
	}
}

function mountFlags(attributes: MountAttributes): number {
	return (
		(attributes.readOnly === true ? MS.RDONLY : 0) |
		(attributes.noSuid === true ? MS.NOSUID : 0) |
		(attributes.noDev === true ? MS.NODEV : 0) |
		(attributes.noExec === true ? MS.NOEXEC : 0) |
		(attributes.noAtime === true ? MS.NOATIME : 0)
	);
}

function isAtLeast(kernelRelease: string, major: number, minor: number): boolean {
	const [, first = "0", second = "0"] = /^(\d+)\.(\d+)/.exec(kernelRelease) ?? [];
	return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}
