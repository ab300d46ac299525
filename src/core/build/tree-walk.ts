import type { ContextEntryKind } from "./context-listing.ts";

/** Something in a tree. */
export interface TreeEntry {
	/** Relative to the root. */
	readonly path: string;
	readonly kind: ContextEntryKind;
	/** 0o7777. */
	readonly permissions: number;
	readonly uid: number;
	readonly gid: number;
	/** Of a file, else 0. */
	readonly sizeBytes: number;
	/** Nanoseconds since the epoch. */
	readonly modifiedNs: bigint;
	/** Of a symlink, else empty. */
	readonly target: string;
	/** Of a device node. */
	readonly device: { readonly major: number; readonly minor: number };
}

/** Reads a tree that nobody changes meanwhile. */
export interface TreeWalk {
	/** All of it but the root itself, what is in a directory right after it, names in the order of their bytes; sockets left out. @throws SystemError */
	entries(root: string): AsyncIterable<TreeEntry>;
	/** A file's bytes. @param path as `entries` gave it. @throws SystemError while it is read */
	read(root: string, path: string): AsyncIterable<Uint8Array>;
}
