/**
 * What a container changed: its upper directory against the layers below, the way overlayfs merges them. For a whole tree (vfs)
 * every directory counts as opaque: what it lacks was deleted.
 */

import type { Pacer } from "../../base/pacer.ts";
import { joinPath } from "../../core/diff/archive-path.ts";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import type { FileStatus } from "../linux/file-status.ts";
import type { RootDirectory } from "../linux/root-directory.ts";
import { OPAQUE_ATTRIBUTE } from "./layer-writer.ts";

export interface TreeChange {
	/** Without a slash in front. */
	readonly path: string;
	readonly kind: "modified" | "added" | "deleted";
	/** In the upper tree; undefined for what is deleted. */
	readonly status: FileStatus | undefined;
}

export interface CompareOptions {
	readonly wholeTree: boolean;
	/** Report every file of the upper directory, also one whose size, times, owner and mode equal the lower one's. */
	readonly everyFile: boolean;
	/** Report directories of which only the time is another one, to the second: a layer can say no more. */
	readonly directoryTimes: boolean;
	readonly pacer: Pacer;
}

/** A lower directory that shows through: which layer, topmost first. */
type Layers = readonly RootDirectory[];

/** Parents come before what is in them, names sorted. */
export async function compareTrees(
	upper: RootDirectory,
	lowers: Layers,
	options: CompareOptions,
): Promise<TreeChange[]> {
	const changes: TreeChange[] = [];
	const opaque = options.wholeTree || isOpaque(upper, "");
	await compareDirectory({ upper, path: "", lowers, opaque, options, changes });
	return changes;
}

interface Step {
	readonly upper: RootDirectory;
	readonly path: string;
	/** Layers that have a directory of this path, cut at whiteouts and opaque ones. */
	readonly lowers: Layers;
	/** Whether what the upper directory lacks is gone. */
	readonly opaque: boolean;
	readonly options: CompareOptions;
	readonly changes: TreeChange[];
}

async function compareDirectory(step: Step): Promise<void> {
	const { upper, path, lowers, opaque, options, changes } = step;
	const names = new Set(namesIn(upper, path));
	const vanished = opaque ? lowerNames(lowers, path).filter((name) => !names.has(name)) : [];
	for (const name of sortNames([...names, ...vanished])) {
		if (options.pacer.isDue) await options.pacer.pause();
		const child = joinPath(path, name);
		const below = lookUp(lowers, child);
		const status = names.has(name) ? upper.statusIfExists(encodePath(child)) : undefined;
		if (status === undefined || isWhiteout(status)) {
			if (below !== undefined) changes.push({ path: child, kind: "deleted", status: undefined });
			continue;
		}
		await compareEntry(step, child, status, below);
	}
}

async function compareEntry(step: Step, path: string, status: FileStatus, below: Below | undefined): Promise<void> {
	const { upper, options, changes } = step;
	const at = changes.length;
	const isDirectory = status.kind === "directory";
	const changed =
		below === undefined ||
		differs(status, below.status) ||
		(isDirectory ? options.directoryTimes && isOtherSecond(status, below.status) : options.everyFile);
	if (changed) changes.push({ path, kind: below === undefined ? "added" : "modified", status });
	if (!isDirectory) return;
	const opaque = options.wholeTree || step.opaque || isOpaque(upper, path);
	await compareDirectory({ ...step, path, lowers: below?.layers ?? [], opaque });
	// A directory counts as modified when something in it is.
	if (!changed && changes.length > at) changes.splice(at, 0, { path, kind: "modified", status });
}

interface Below {
	readonly status: FileStatus;
	/** For a directory: the layers that make it up. */
	readonly layers: Layers;
}

/** What the lower layers show at `path`, whose parent directory is made up of `lowers`. */
function lookUp(lowers: Layers, path: string): Below | undefined {
	let found: FileStatus | undefined;
	const layers: RootDirectory[] = [];
	for (const lower of lowers) {
		const status = lower.statusIfExists(encodePath(path));
		if (status === undefined) continue;
		if (isWhiteout(status)) break;
		if (status.kind !== "directory") {
			found ??= status;
			break;
		}
		found ??= status;
		layers.push(lower);
		if (isOpaque(lower, path)) break;
	}
	return found === undefined ? undefined : { status: found, layers };
}

function lowerNames(lowers: Layers, path: string): string[] {
	const names = new Set(lowers.flatMap((lower) => namesIn(lower, path)));
	return [...names].filter((name) => lookUp(lowers, joinPath(path, name)) !== undefined);
}

function namesIn(root: RootDirectory, path: string): string[] {
	return root.readDirectory(encodePath(path)).map(decodePath);
}

export function isWhiteout(status: FileStatus): boolean {
	return status.kind === "character-device" && status.deviceMajor === 0 && status.deviceMinor === 0;
}

function isOpaque(root: RootDirectory, path: string): boolean {
	return root.getAttribute(encodePath(path === "" ? "." : path), OPAQUE_ATTRIBUTE)?.toString() === "y";
}

const BEHIND_SURROGATES = /[\ud800-\uffff]/;

const NS = 1_000_000_000n;

function isOtherSecond(a: FileStatus, b: FileStatus): boolean {
	return a.modifiedNs / NS !== b.modifiedNs / NS;
}

/** A directory's size and times follow from what is in it and mostly say nothing. */
function differs(a: FileStatus, b: FileStatus): boolean {
	if (a.kind !== b.kind || a.permissions !== b.permissions || a.uid !== b.uid || a.gid !== b.gid) return true;
	if (a.deviceMajor !== b.deviceMajor || a.deviceMinor !== b.deviceMinor) return true;
	return a.kind !== "directory" && (a.sizeBytes !== b.sizeBytes || a.modifiedNs !== b.modifiedNs);
}

/** By their bytes; texts are in that order as they are, unless something comes behind the surrogates. */
function sortNames(names: string[]): string[] {
	if (!names.some((name) => BEHIND_SURROGATES.test(name))) return names.sort();
	return names.sort((a, b) => Buffer.compare(encodePath(a), encodePath(b)));
}
