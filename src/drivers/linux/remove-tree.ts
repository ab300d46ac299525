/** Deletes a tree that somebody else may be changing. */
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import { closeDescriptor, O } from "./file-descriptors.ts";
import { check, cString, libc } from "./libc.ts";
import { openAt } from "./open-at.ts";

const AT_REMOVEDIR = 0x200;
const RENAME_NOREPLACE = 1;
/** Levels that are descended before what lies deeper is moved up: a tree may be nested deeper than there are descriptors. */
const REMOVE_DEPTH = 64;

/** Removes one name in a directory, depth first, never through a symlink and never in a directory that was moved meanwhile. */
export function removeTree(dirfd: number, name: Uint8Array): void {
	const top = unlinkOrOpen(dirfd, name);
	if (top === undefined) return;
	try {
		while (emptyDirectory(top, top, REMOVE_DEPTH)) {}
	} finally {
		closeDescriptor(top);
	}
	check(libc.unlinkat(dirfd, cString(name), AT_REMOVEDIR), "unlinkat", name);
}

/** @returns whether something was moved up to `top`, which then has to be emptied once more */
function emptyDirectory(directory: number, top: number, levels: number): boolean {
	let moved = false;
	for (const name of readdirSync(`/proc/self/fd/${directory}`, { encoding: "buffer" })) {
		const child = unlinkOrOpen(directory, name);
		if (child === undefined) continue;
		try {
			if (levels === 0) moved = moveUp(directory, name, top);
			else if (emptyDirectory(child, top, levels - 1)) moved = true;
		} finally {
			closeDescriptor(child);
		}
		if (levels > 0) check(libc.unlinkat(directory, cString(name), AT_REMOVEDIR), "unlinkat", name);
	}
	return moved;
}

function moveUp(directory: number, name: Uint8Array, top: number): true {
	const newName = cString(`.removed-${randomUUID()}`);
	check(libc.renameat2(directory, cString(name), top, newName, RENAME_NOREPLACE), "renameat2", name);
	return true;
}

/** Removes what is no directory; opens a directory. Undefined when nothing is left to do. */
function unlinkOrOpen(dirfd: number, name: Uint8Array): number | undefined {
	const encoded = cString(name);
	if (libc.unlinkat(dirfd, encoded, 0) === 0) return undefined;
	try {
		return openAt(dirfd, encoded, O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0, 0);
	} catch (error) {
		if (errnoCode(error) !== "ENOTDIR") throw error;
		// Not a directory: the unlink's own reason is what counts.
		check(libc.unlinkat(dirfd, encoded, 0), "unlinkat", name);
		return undefined;
	}
}
