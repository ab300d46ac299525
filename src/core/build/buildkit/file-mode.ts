/** Go's `fs.FileMode`, as fsutil's stats have it: permissions in the low nine bits, everything else in bits of Go's own. */
import type { ContextEntryKind } from "../context-listing.ts";

const DIRECTORY = 2 ** 31;
const SYMLINK = 2 ** 27;
const DEVICE = 2 ** 26;
const PIPE = 2 ** 25;
const SOCKET = 2 ** 24;
const SET_UID = 2 ** 23;
const SET_GID = 2 ** 22;
const CHARACTER = 2 ** 21;
const STICKY = 2 ** 20;

const has = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1;

/** Undefined for what no context has: sockets. */
export function kindOfMode(mode: number): ContextEntryKind | undefined {
	if (has(mode, DIRECTORY)) return "directory";
	if (has(mode, SYMLINK)) return "symlink";
	if (has(mode, PIPE)) return "fifo";
	if (has(mode, SOCKET)) return undefined;
	if (has(mode, DEVICE)) return has(mode, CHARACTER) ? "character-device" : "block-device";
	return "file";
}

/** 0o7777. */
export function permissionsOfMode(mode: number): number {
	const special =
		(has(mode, SET_UID) ? 0o4000 : 0) + (has(mode, SET_GID) ? 0o2000 : 0) + (has(mode, STICKY) ? 0o1000 : 0);
	return special + (mode % 0o1000);
}

const KIND_BITS: Readonly<Record<ContextEntryKind, number>> = {
	file: 0,
	directory: DIRECTORY,
	symlink: SYMLINK,
	fifo: PIPE,
	"character-device": DEVICE + CHARACTER,
	"block-device": DEVICE,
};

export function modeOf(kind: ContextEntryKind, permissions: number): number {
	return (
		KIND_BITS[kind] +
		((permissions & 0o4000) === 0 ? 0 : SET_UID) +
		((permissions & 0o2000) === 0 ? 0 : SET_GID) +
		((permissions & 0o1000) === 0 ? 0 : STICKY) +
		(permissions & 0o777)
	);
}
