import { lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import { humanSize } from "../../base/units.ts";
import { readContainerArchive, statContainerPath } from "../../client/container-archives.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import type { CliContext } from "../context.ts";
import { unpackArchive } from "./archive-target.ts";
import {
	absoluteCopyPath,
	type CopyDestination,
	parentOf,
	planCopy,
	rebaseAfterLink,
	renameEntry,
	resolveLink,
	splitEntry,
} from "./copy-paths.ts";
import { isDirectoryMode, isSymlinkMode } from "./go-file-mode.ts";

export interface CopyContext {
	context: CliContext;
	client: EngineClient;
	isFollowingLinks: boolean;
	hasOwners: boolean;
	isQuiet: boolean;
}

/** @throws ApiError, Error */
export async function copyFromContainer(
	copy: CopyContext,
	container: string,
	path: string,
	local: string,
): Promise<void> {
	const { client, context } = copy;
	const target = local === "-" ? "-" : absoluteCopyPath(local, process.cwd());
	if (target !== "-") checkOutputPath(target);
	const { path: sourcePath, rebaseName } = copy.isFollowingLinks
		? await followLink(client, container, path)
		: { path, rebaseName: "" };
	const { stat, archive } = await readContainerArchive(client, container, sourcePath);
	if (target === "-") {
		for await (const bytes of archive) await context.stdout.writeThrough(bytes);
		return;
	}
	const source = { path: sourcePath, isDirectory: isDirectoryMode(stat.mode), rebaseName };
	const { directory, rename } = planCopy(source, destinationOf(target));
	const oldBase = splitEntry(sourcePath).base;
	let copiedBytes = 0;
	await unpackArchive(archive, {
		directory,
		hasOwners: copy.hasOwners,
		rename: (name) => {
			const rebased = rebaseName === "" ? name : renameEntry(name, { from: oldBase, to: rebaseName });
			return rename === undefined ? rebased : renameEntry(rebased, rename);
		},
		onBytes: (count) => {
			copiedBytes += count;
		},
	});
	if (!copy.isQuiet) context.stderr.line(`Successfully copied ${humanSize(copiedBytes)} to ${local}`);
}

async function followLink(
	client: EngineClient,
	container: string,
	path: string,
): Promise<{ path: string; rebaseName: string }> {
	const stat = await statContainerPath(client, container, path);
	return isSymlinkMode(stat.mode)
		? rebaseAfterLink(path, resolveLink(path, stat.linkTarget))
		: { path, rebaseName: "" };
}

/** @throws Error when it can't be written to anyway */
function checkOutputPath(path: string): void {
	const parent = parentOf(path);
	if (statOrUndefined(parent) === undefined)
		throw new Error(`invalid output path: directory ${JSON.stringify(parent)} does not exist`);
	const existing = statOrUndefined(path);
	if (existing?.isCharacterDevice() || existing?.isBlockDevice())
		throw new Error(`invalid output path: ${JSON.stringify(path)} must be a directory or a regular file: got a device`);
}

const MAX_LINKS = 10;

/** Follows the links of the last element, so that what they point to is replaced, not they. @throws Error */
function destinationOf(path: string): CopyDestination {
	let current = path;
	for (let count = 0; count <= MAX_LINKS; count++) {
		const stat = lstatOrUndefined(current);
		if (stat === undefined) return missingDestination(current);
		if (!stat.isSymbolicLink()) return { path: current, exists: true, isDirectory: stat.isDirectory() };
		current = resolveLink(current, readlinkSync(current.replace(/\/\.?$/, "")));
	}
	throw new Error(`too many symlinks in ${JSON.stringify(path)}`);
}

function missingDestination(path: string): CopyDestination {
	const directory = splitEntry(path).directory.replace(/(?<=.)\/$/, "");
	const parent = statOrUndefined(directory);
	if (parent === undefined) throw new Error(`stat ${directory}: no such file or directory`);
	if (!parent.isDirectory()) throw new Error("not a directory");
	return { path, exists: false, isDirectory: false };
}

function statOrUndefined(path: string): Stats | undefined {
	return ignoreMissing(() => statSync(path));
}

function lstatOrUndefined(path: string): Stats | undefined {
	return ignoreMissing(() => lstatSync(path));
}

function ignoreMissing(read: () => Stats): Stats | undefined {
	try {
		return read();
	} catch (error) {
		if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return undefined;
		throw error;
	}
}
