import { lstat, realpath } from "node:fs/promises";
import { basename } from "node:path/posix";
import { errnoCode } from "../../base/errors.ts";
import { humanSize } from "../../base/units.ts";
import { ApiError } from "../../client/api-error.ts";
import { statContainerPath, writeContainerArchive } from "../../client/container-archives.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { archiveSource } from "./archive-source.ts";
import type { CopyContext } from "./copy-from-container.ts";
import {
	absoluteCopyPath,
	type CopyDestination,
	type CopySource,
	planCopy,
	rebaseAfterLink,
	renameEntry,
	resolveLink,
	splitEntry,
} from "./copy-paths.ts";
import { isDeviceMode, isDirectoryMode, isSymlinkMode } from "./go-file-mode.ts";

/** @throws ApiError, Error */
export async function copyToContainer(
	copy: CopyContext,
	local: string,
	container: string,
	path: string,
): Promise<void> {
	const { client, context, hasOwners } = copy;
	const destination = await destinationIn(client, container, path);
	if (local === "-") {
		if (!destination.isDirectory) throw new Error(`destination "${container}:${path}" must be a directory`);
		await writeContainerArchive(client, container, { path: destination.path, hasOwners, stream: Bun.stdin.stream() });
		return;
	}
	const source = await localSource(absoluteCopyPath(local, process.cwd()), copy.isFollowingLinks);
	const { directory, rename } = planCopy(source, destination);
	const entry = splitEntry(source.path);
	let copiedBytes = 0;
	const stream = archiveSource({
		...entry,
		rename: (name) => {
			const rebased = source.rebaseName ? renameEntry(name, { from: entry.base, to: source.rebaseName }) : name;
			return rename === undefined ? rebased : renameEntry(rebased, rename);
		},
		onBytes: (count) => {
			copiedBytes += count;
		},
	});
	await writeContainerArchive(client, container, { path: directory, hasOwners, stream });
	if (!copy.isQuiet) context.stderr.line(`Successfully copied ${humanSize(copiedBytes)} to ${container}:${path}`);
}

/** The path in the container after following a link; one that is not there is taken for a new name in a directory that is. */
async function destinationIn(client: EngineClient, container: string, path: string): Promise<CopyDestination> {
	let target = path;
	let stat = await statOrUndefined(client, container, target);
	if (stat !== undefined && isSymlinkMode(stat.mode)) {
		target = resolveLink(path, stat.linkTarget);
		stat = await statOrUndefined(client, container, target);
	}
	if (stat !== undefined && isDeviceMode(stat.mode))
		throw new Error(`destination "${container}:${path}" must be a directory or a regular file: got a device`);
	return { path: target, exists: stat !== undefined, isDirectory: stat !== undefined && isDirectoryMode(stat.mode) };
}

async function statOrUndefined(client: EngineClient, container: string, path: string) {
	try {
		return await statContainerPath(client, container, path);
	} catch (error) {
		// Why the path or its container can't be had is the copy's answer to tell: this one has no body.
		if (error instanceof ApiError) return undefined;
		throw error;
	}
}

/** @throws Error when it is not there */
async function localSource(path: string, isFollowingLinks: boolean): Promise<CopySource> {
	try {
		const resolved = isFollowingLinks ? rebaseAfterLink(path, await realpath(path)) : await resolveParent(path);
		const stat = await lstat(resolved.path);
		return { ...resolved, isDirectory: stat.isDirectory() };
	} catch (cause) {
		if (errnoCode(cause) !== "ENOENT") throw cause;
		throw new Error(`lstat ${path}: no such file or directory`, { cause });
	}
}

/** A link as the last element stays one, unless a slash or `/.` after it says that what it points to is meant. */
async function resolveParent(path: string): Promise<{ path: string; rebaseName: string }> {
	const slash = path.lastIndexOf("/");
	const base = path.slice(slash + 1);
	const parent = await realpath(path.slice(0, slash + 1));
	const resolved = `${parent === "/" ? "" : parent}/${base}`;
	return { path: resolved, rebaseName: base === "" && basename(path) !== basename(resolved) ? basename(path) : "" };
}
