import {
	chmodSync,
	chownSync,
	closeSync,
	constants,
	fchmodSync,
	fchownSync,
	ftruncateSync,
	futimesSync,
	lchownSync,
	linkSync,
	lstatSync,
	lutimesSync,
	mkdirSync,
	openSync,
	rmSync,
	type Stats,
	symlinkSync,
	utimesSync,
	writeSync,
} from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import type { TarEntry } from "../../core/diff/tar-entry.ts";
import { TarReader, type TarSink } from "../../core/diff/tar-reader.ts";

export interface ArchiveTargetOptions {
	/** An existing local directory. */
	directory: string;
	rename: (name: string) => string;
	/** Keep the archive's owners (`-a`); otherwise files belong to whoever runs this. */
	hasOwners: boolean;
	onBytes?: (count: number) => void;
}

/**
 * Unpacks what a container sent into a local directory. The container is not trusted: no name leads out of the directory, and
 * nothing is written through a link that came with the archive. A directory is not replaced by something else, nor the reverse.
 * @throws Error
 */
export async function unpackArchive(source: AsyncIterable<Uint8Array>, options: ArchiveTargetOptions): Promise<void> {
	const sink = new LocalSink(options);
	const reader = new TarReader(sink);
	try {
		for await (const bytes of source) reader.push(bytes);
		reader.finish();
		sink.finish();
	} finally {
		sink.close();
	}
}

class LocalSink implements TarSink {
	#fd: number | undefined;
	#entry: TarEntry | undefined;
	/** Links made here: a path below one of them could be anywhere. */
	readonly #links = new Set<string>();
	/** Their times and modes are set last, since filling them changes the one and may need the other. */
	readonly #directories: { path: string; entry: TarEntry }[] = [];

	constructor(private readonly options: ArchiveTargetOptions) {}

	entry(entry: TarEntry): void {
		const name = this.#cleanName(this.options.rename(entry.name));
		const path = this.#path(name);
		this.#entry = entry;
		if (entry.type === "directory") this.#makeDirectory(path, entry);
		else this.#make(path, name, entry);
	}

	#make(path: string, name: string, entry: TarEntry): void {
		if (name === "") throw new Error("invalid name in archive: the directory itself is not a directory");
		this.#clear(path);
		switch (entry.type) {
			case "file":
				this.#fd = openSync(
					encodePath(path),
					constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
					0o600,
				);
				return;
			case "symlink":
				symlinkSync(encodePath(entry.linkName), encodePath(path));
				this.#links.add(path);
				this.#setLinkTimes(path, entry);
				return;
			case "hard-link": {
				const target = this.#cleanName(this.options.rename(entry.linkName));
				linkSync(encodePath(this.#path(target)), encodePath(path));
				// A hard link to a link is one more way out.
				if (lstatSync(encodePath(path)).isSymbolicLink()) this.#links.add(path);
				return;
			}
			default:
				makeSpecialFile(path, entry);
		}
	}

	data(chunk: Uint8Array, offset: number): void {
		if (this.#fd === undefined) return;
		let written = 0;
		while (written < chunk.length)
			written += writeSync(this.#fd, chunk, written, chunk.length - written, offset + written);
		this.options.onBytes?.(chunk.length);
	}

	end(): void {
		const [fd, entry] = [this.#fd, this.#entry];
		if (fd === undefined || entry === undefined) return;
		// A hole at the end has no data that would give the file its length.
		if (entry.sparse !== undefined) ftruncateSync(fd, entry.sizeBytes);
		if (this.options.hasOwners) fchownSync(fd, entry.uid, entry.gid);
		fchmodSync(fd, entry.mode);
		futimesSync(fd, seconds(entry), seconds(entry));
		this.close();
	}

	finish(): void {
		for (const { path, entry } of this.#directories.toReversed()) {
			if (this.options.hasOwners) chownSync(encodePath(path), entry.uid, entry.gid);
			chmodSync(encodePath(path), entry.mode);
			utimesSync(encodePath(path), seconds(entry), seconds(entry));
		}
	}

	close(): void {
		if (this.#fd !== undefined) closeSync(this.#fd);
		this.#fd = undefined;
	}

	#makeDirectory(path: string, entry: TarEntry): void {
		const existing = statOrUndefined(path);
		if (existing !== undefined && !existing.isDirectory()) {
			// The target itself may be a link to a directory, chosen by the user.
			if (path !== this.#path(""))
				throw new Error(`cannot overwrite non-directory ${JSON.stringify(path)} with directory`);
		}
		if (existing === undefined) mkdirSync(encodePath(path), { mode: 0o700 });
		this.#directories.push({ path, entry });
	}

	/** Makes room for something that is not a directory. */
	#clear(path: string): void {
		const existing = statOrUndefined(path);
		if (existing === undefined) return;
		if (existing.isDirectory())
			throw new Error(`cannot overwrite directory ${JSON.stringify(path)} with non-directory`);
		rmSync(encodePath(path));
		this.#links.delete(path);
	}

	/** @throws Error for a name that leaves the directory, or goes through a link of the archive's own */
	#cleanName(name: string): string {
		const parts = name.split("/").filter((part) => part !== "" && part !== ".");
		if (parts.includes("..")) throw new Error(`invalid name in archive: ${JSON.stringify(name)}`);
		for (let count = 1; count < parts.length; count++) {
			if (this.#links.has(this.#path(parts.slice(0, count).join("/"))))
				throw new Error(`invalid name in archive: ${JSON.stringify(name)} goes through a link`);
		}
		return parts.join("/");
	}

	/** Not by `path.join`, which replaces what stands for bytes that are not UTF-8. */
	#path(name: string): string {
		const directory = this.options.directory.replace(/\/+$/, "");
		return name === "" ? directory || "/" : `${directory}/${name}`;
	}

	#setLinkTimes(path: string, entry: TarEntry): void {
		if (this.options.hasOwners) lchownSync(encodePath(path), entry.uid, entry.gid);
		lutimesSync(encodePath(path), seconds(entry), seconds(entry));
	}
}

function statOrUndefined(path: string): Stats | undefined {
	try {
		return lstatSync(encodePath(path));
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return undefined;
		throw error;
	}
}

function seconds(entry: TarEntry): number {
	return Number(entry.modifiedNs) / 1e9;
}

const SPECIAL_TYPES: Readonly<Record<string, string>> = { "character-device": "c", "block-device": "b", fifo: "p" };

/** Node has no mknod(2); such files are rare enough for a process each. */
function makeSpecialFile(path: string, entry: TarEntry): void {
	const type = SPECIAL_TYPES[entry.type] ?? "p";
	const numbers = type === "p" ? [] : [String(entry.deviceMajor), String(entry.deviceMinor)];
	const result = Bun.spawnSync(["mknod", "-m", entry.mode.toString(8), "--", path, type, ...numbers], {
		stderr: "pipe",
	});
	if (result.exitCode !== 0) throw new Error(`mknod ${path}: ${result.stderr.toString().trim()}`);
}
