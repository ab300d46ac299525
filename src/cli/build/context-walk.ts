import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { errnoCode, InvalidParameterError } from "../../base/errors.ts";
import type { ContextFilter } from "../../core/build/context-filter.ts";
import { type ContextEntryKind, ListingEncoder } from "../../core/build/context-listing.ts";

export interface WalkedContext {
	/** See `core/build/context-listing.ts`. */
	readonly listing: Uint8Array;
	/** Of each entry of the listing, in its order. */
	readonly paths: readonly string[];
}

const TYPE_MASK = 0o170000n;
const KINDS: ReadonlyMap<bigint, ContextEntryKind> = new Map([
	[0o100000n, "file"],
	[0o040000n, "directory"],
	[0o120000n, "symlink"],
	[0o010000n, "fifo"],
	[0o020000n, "character-device"],
	[0o060000n, "block-device"],
]);

/**
 * Lists what the filter includes of a directory, and the directories above it. Sockets are left out, as no archive has them.
 * Synchronous calls: they are what makes 20,000 files take 50 ms.
 * @throws InvalidParameterError for what can't be read, or has a name that is not UTF-8
 */
export function walkContext(root: string, filter: ContextFilter): WalkedContext {
	const walk = new Walk(root, filter);
	walk.directory("", () => 0);
	return { listing: walk.encoder.bytes(), paths: walk.paths };
}

class Walk {
	readonly encoder = new ListingEncoder();
	readonly paths: string[] = [];

	constructor(
		private readonly root: string,
		private readonly filter: ContextFilter,
	) {}

	/** @param position lists the directory itself when it is not yet, and tells its position */
	directory(path: string, position: () => number): void {
		for (const name of this.#names(path)) {
			const child = path === "" ? name : `${path}/${name}`;
			const isIncluded = this.filter.includes(child);
			if (!isIncluded && !this.filter.mayIncludeBelow(child)) continue;
			const status = statusOf(`${this.root}/${child}`);
			if (status === undefined) continue;
			const kind = KINDS.get(status.mode & TYPE_MASK);
			if (kind === undefined) continue;
			if (name.includes("\ufffd")) throw new InvalidParameterError(`name of a file is not UTF-8: ${child}`);
			if (kind !== "directory") {
				if (isIncluded) this.#add(child, name, { kind, status, parent: position() });
				continue;
			}
			let own: number | undefined;
			const ownPosition = () => {
				own ??= this.#add(child, name, { kind, status, parent: position() });
				return own;
			};
			if (isIncluded) ownPosition();
			if (this.filter.mayIncludeBelow(child)) this.directory(child, ownPosition);
		}
	}

	#names(path: string): string[] {
		try {
			return readdirSync(path === "" ? this.root : `${this.root}/${path}`);
		} catch (cause) {
			// Removed since its parent was read.
			if (path !== "" && errnoCode(cause) === "ENOENT") return [];
			throw unreadable(path === "" ? this.root : path, cause);
		}
	}

	#add(
		path: string,
		name: string,
		{ kind, status, parent }: { kind: ContextEntryKind; status: BigIntStats; parent: number },
	): number {
		this.paths.push(path);
		return this.encoder.add(parent, name, {
			kind,
			permissions: Number(status.mode & 0o7777n),
			sizeBytes: kind === "file" ? Number(status.size) : 0,
			modifiedNs: status.mtimeNs,
			changedNs: status.ctimeNs,
			inode: status.ino,
			target: kind === "symlink" ? readlinkSync(`${this.root}/${path}`) : "",
			device: Number(status.rdev),
		});
	}
}

/** Undefined for what is gone already. */
function statusOf(path: string): BigIntStats | undefined {
	try {
		return lstatSync(path, { bigint: true });
	} catch (cause) {
		if (errnoCode(cause) === "ENOENT") return undefined;
		throw unreadable(path, cause);
	}
}

export function unreadable(path: string, cause: unknown): InvalidParameterError {
	const code = errnoCode(cause);
	const reason = code === "EACCES" ? "permission denied" : code === "ENOENT" ? "no such file or directory" : code;
	return new InvalidParameterError(`failed to read the build context: ${path}: ${reason ?? String(cause)}`, { cause });
}
