import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { ContentDecoder } from "../../core/build/context-contents.ts";
import type { ContextChange, ContextCopies, ContextCopy, KeptEntry } from "../../core/build/context-copy.ts";
import type { ContextEntry } from "../../core/build/context-listing.ts";
import { spreadSubdirectories } from "../linux/inode-flags.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { FileReceiver } from "./file-receiver.ts";
import { KeptListing } from "./kept-listing.ts";

/** Operations on files between which others have a turn. */
const STEPS_PER_TURN = 200;

/**
 * Copies of build contexts on the file system.
 *
 * ```
 * <directory>/tree/     the files
 * <directory>/listing   what they are, see KeptListing
 * ```
 */
export class FsContextCopies implements ContextCopies {
	open(directory: string): ContextCopy {
		return new FsContextCopy(directory);
	}
}

class FsContextCopy implements ContextCopy {
	readonly directory: string;
	readonly #listing: KeptListing;
	#revision: string | undefined;
	#listingDigest: string | undefined;
	#entries: readonly KeptEntry[] | undefined;

	constructor(directory: string) {
		this.directory = join(directory, "tree");
		this.#listing = new KeptListing(join(directory, "listing"));
		const header = this.#listing.read();
		if (header === undefined) {
			using parent = RootDirectory.open(directory);
			parent.removeAll("tree");
			this.#entries = [];
		}
		spreadSubdirectories(directory);
		mkdirSync(this.directory, { recursive: true, mode: 0o755 });
		spreadSubdirectories(this.directory);
		this.#revision = header?.revision;
		this.#listingDigest = header?.listingDigest;
	}

	get revision(): string | undefined {
		return this.#revision;
	}

	get listingDigest(): string | undefined {
		return this.#listingDigest;
	}

	get sizeBytes(): number {
		return this.entries().reduce((sum, { kind, sizeBytes }) => (kind === "file" ? sum + sizeBytes : sum), 0);
	}

	entries(): readonly KeptEntry[] {
		this.#entries ??= this.#listing.entries();
		return this.#entries;
	}

	async change(change: ContextChange): Promise<void> {
		const before = this.entries();
		const revision = isNothing(change.plan) ? this.#revision : undefined;
		this.#listing.remove();
		this.#revision = undefined;
		this.#listingDigest = undefined;
		const present = new Map(before.map((entry) => [entry.path, entry]));
		let isExact = false;
		let failure: unknown;
		try {
			isExact = await this.#change(change, present);
		} catch (error) {
			failure = diskError(error);
			// What arrived is kept for the next time. Times of directories were to be set at the end.
			for (const { path } of [...change.plan.touched, ...change.plan.disturbed]) {
				const entry = present.get(path);
				if (entry !== undefined) present.set(path, { ...entry, modifiedNs: -1n });
			}
		}
		try {
			this.#keep(change, present, { isExact, revision });
		} catch (error) {
			// Without a listing the next build begins anew; the first failure says why.
			failure ??= diskError(error);
		}
		if (failure !== undefined) throw failure;
	}

	/** @returns whether every file has the very stamp that the listing says */
	async #change(change: ContextChange, present: Map<string, KeptEntry>): Promise<boolean> {
		const { plan, listed } = change;
		using root = RootDirectory.open(this.directory);
		const turns = new Turns();
		for (const path of plan.removed) {
			present.delete(path);
			root.removeAll(path);
			await turns.next();
		}
		for (const entry of plan.made) {
			makeEntry(root, entry);
			present.set(entry.path, { ...entry, digest: undefined });
			await turns.next();
		}
		const receiver = new FileReceiver(root, { listed, plan, present });
		try {
			const decoder = new ContentDecoder(receiver);
			for await (const piece of change.contents) {
				await decoder.push(piece);
				change.onProgress?.(receiver.receivedBytes);
			}
			decoder.finish();
			receiver.checkComplete();
		} finally {
			receiver.close();
		}
		for (const entry of plan.touched) {
			root.changePermissions(entry.path, entry.permissions);
			present.set(entry.path, { ...entry, digest: undefined });
		}
		for (const entry of [...plan.touched, ...plan.disturbed].reverse()) {
			root.setTimes(entry.path, entry.modifiedNs, entry.modifiedNs);
			await turns.next();
		}
		return receiver.isExact;
	}

	#keep(
		{ listed, listingDigest }: ContextChange,
		present: ReadonlyMap<string, KeptEntry>,
		{ isExact, revision }: { isExact: boolean; revision: string | undefined },
	): void {
		const now = listed.flatMap(({ path }) => present.get(path) ?? []);
		// After a failure there may be more, or what a directory of the listing was before.
		this.#entries = now.length === present.size ? now : [...present.values()].sort(byDepth);
		this.#revision = revision ?? newId();
		if (isExact) this.#listingDigest = listingDigest;
		this.#listing.write(
			{
				revision: this.#revision,
				...(isExact ? { listingDigest } : {}),
			},
			this.#entries,
		);
	}
}

/** Only stamps are new. */
function isNothing({ removed, made, wanted, touched }: ContextChange["plan"]): boolean {
	return removed.length + made.length + wanted.length + touched.length === 0;
}

/** Parents before what is in them, whatever order the parts had. */
function byDepth(a: KeptEntry, b: KeptEntry): number {
	return depth(a.path) - depth(b.path);
}

function depth(path: string): number {
	let count = 0;
	for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) count++;
	return count;
}

function makeEntry(root: RootDirectory, entry: ContextEntry): void {
	const { path, kind, permissions } = entry;
	if (kind === "directory") {
		root.makeDirectory(path, 0o700);
		root.changePermissions(path, permissions);
		return;
	}
	if (kind === "symlink") root.makeSymlink(entry.target, path);
	else if (kind !== "file") {
		const major = (entry.device >>> 8) & 0xfff;
		const minor = (entry.device & 0xff) | ((entry.device >>> 12) & 0xfff00);
		root.makeNode(path, kind, permissions, major, minor);
		root.changePermissions(path, permissions);
	}
	root.setTimes(path, entry.modifiedNs, entry.modifiedNs);
}

function diskError(error: unknown): unknown {
	const code = errnoCode(error);
	if (code === undefined) return error;
	return new SystemError(`failed to keep the build context: ${errorMessage(error)}`, { cause: error });
}

/** Gives way after so many steps. */
class Turns {
	#steps = 0;

	async next(): Promise<void> {
		this.#steps++;
		if (this.#steps % STEPS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
	}
}
