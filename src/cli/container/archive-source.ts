import type { BigIntStats } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import { type TarEntry, tarEntry } from "../../core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../core/diff/tar-writer.ts";

/** Small pieces are put together up to this size, large files go in pieces of it. */
const CHUNK_BYTES = 1024 * 1024;

export interface ArchiveSourceOptions {
	/** Directory and the name in it; `.` stands for the directory's contents. */
	directory: string;
	base: string;
	/** The name in the archive for a name below `base`. */
	rename: (name: string) => string;
	onBytes?: (count: number) => void;
}

/** A tar of a local file or directory. Sockets are left out; hard links inside the tree stay hard links. @throws Error */
export async function* archiveSource(options: ArchiveSourceOptions): AsyncGenerator<Uint8Array> {
	const pending = new PendingBytes();
	const links = new Map<string, string>();
	for await (const { path, name, stat } of walk(options)) {
		const entry = await describe(path, options.rename(name), stat, links);
		if (entry === undefined) continue;
		yield* pending.add(formatTarHeader(entry));
		if (entry.type === "file" && entry.sizeBytes > 0) {
			yield* contents(path, entry.sizeBytes, pending);
			yield* pending.add(tarPadding(entry.sizeBytes));
			options.onBytes?.(entry.sizeBytes);
		}
	}
	yield* pending.add(TAR_END);
	yield* pending.flush();
}

interface WalkEntry {
	path: Buffer;
	/** Relative to the source directory; a directory's ends with a slash. */
	name: string;
	stat: BigIntStats;
}

async function* walk({ directory, base }: ArchiveSourceOptions): AsyncGenerator<WalkEntry> {
	yield* walkFrom(encodePath(directory + base), base);
}

async function* walkFrom(path: Buffer, name: string): AsyncGenerator<WalkEntry> {
	const stat = await lstat(path, { bigint: true });
	if (!stat.isDirectory()) {
		yield { path, name, stat };
		return;
	}
	yield { path, name: `${name}/`, stat };
	const children = await readdir(path, { encoding: "buffer" });
	children.sort((a, b) => Buffer.compare(a, b));
	for (const child of children)
		yield* walkFrom(Buffer.concat([path, Buffer.from("/"), child]), `${name}/${decodePath(child)}`);
}

async function describe(
	path: Buffer,
	name: string,
	stat: BigIntStats,
	links: Map<string, string>,
): Promise<TarEntry | undefined> {
	const common = {
		name,
		mode: Number(stat.mode & 0o7777n),
		uid: Number(stat.uid),
		gid: Number(stat.gid),
		modifiedNs: stat.mtimeNs,
	};
	if (stat.isDirectory()) return tarEntry({ ...common, type: "directory" });
	if (stat.isSymbolicLink()) {
		const target = await readlink(path, { encoding: "buffer" });
		return tarEntry({ ...common, type: "symlink", linkName: decodePath(target) });
	}
	if (stat.nlink > 1n) {
		const key = `${stat.dev}:${stat.ino}`;
		const first = links.get(key);
		if (first !== undefined) return tarEntry({ ...common, type: "hard-link", linkName: first });
		links.set(key, name);
	}
	if (stat.isFile()) return tarEntry({ ...common, type: "file", sizeBytes: Number(stat.size) });
	if (stat.isFIFO()) return tarEntry({ ...common, type: "fifo" });
	if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
	return tarEntry({
		...common,
		type: stat.isCharacterDevice() ? "character-device" : "block-device",
		deviceMajor: Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & ~0xfffn)),
		deviceMinor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & ~0xffn)),
	});
}

/** Exactly as many bytes as the header has promised. @throws Error when the file has become shorter */
async function* contents(path: Buffer, sizeBytes: number, pending: PendingBytes): AsyncGenerator<Uint8Array> {
	await using file = await open(path, "r");
	let rest = sizeBytes;
	while (rest > 0) {
		const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, rest));
		const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
		if (bytesRead === 0) throw new Error(`${decodePath(path)} has become shorter while it was read`);
		rest -= bytesRead;
		yield* pending.add(buffer.subarray(0, bytesRead));
	}
}

class PendingBytes {
	#parts: Uint8Array[] = [];
	#sizeBytes = 0;

	*add(bytes: Uint8Array): Generator<Uint8Array> {
		if (bytes.length === 0) return;
		this.#parts.push(bytes);
		this.#sizeBytes += bytes.length;
		if (this.#sizeBytes >= CHUNK_BYTES) yield* this.flush();
	}

	*flush(): Generator<Uint8Array> {
		if (this.#parts.length === 0) return;
		const [first] = this.#parts;
		const bytes = this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts);
		this.#parts = [];
		this.#sizeBytes = 0;
		yield bytes;
	}
}
