import { openSync, readdirSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { createZstdDecompress } from "node:zlib";
import type { Digest } from "../../base/digest.ts";
import { errnoCode, SystemError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import { AssemblyReader, type FileRange } from "../../core/diff/assembly.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { ChunkBuffer } from "./chunk-buffer.ts";
import { fileChunks } from "./file-chunks.ts";

const SMALL_BYTES = 1 << 16;

interface OpenLayer {
	readonly root: RootDirectory;
	readonly directory: string;
	readonly displaced: ReadonlySet<number>;
}

/** The layer's tar again, from its re-assembly record and its unpacked files. */
export async function* assembledTar(
	content: ContentStore,
	directory: string,
	assembly: Digest,
): AsyncGenerator<Uint8Array> {
	const root = RootDirectory.open(directory);
	const layer: OpenLayer = { root, directory, displaced: displacedNumbers(directory) };
	const blob = content.stream(assembly);
	const decoder = createZstdDecompress();
	blob.on("error", (error) => decoder.destroy(error));
	blob.pipe(decoder);
	const reader = new AssemblyReader();
	const chunks = new ChunkBuffer();
	const pacer = new Pacer();
	try {
		for await (const piece of decoder) {
			for (const record of reader.push(piece)) {
				if (record.kind === "raw") yield* chunks.add(record.bytes);
				else if (record.range.length <= SMALL_BYTES) yield* chunks.add(smallRange(layer, record.range));
				else yield* rangeChunks(layer, record.range, chunks);
				if (pacer.isDue) await pacer.pause();
			}
		}
		reader.finish();
		yield* chunks.flush();
	} finally {
		blob.destroy();
		decoder.destroy();
		root.close();
	}
}

/** Most files are small, and waiting for a thread costs more than reading them. @throws SystemError when it is shorter */
function smallRange(layer: OpenLayer, { number, path, offset, length }: FileRange): Uint8Array {
	const fd = openRange(layer, number, path);
	try {
		const buffer = Buffer.allocUnsafe(length);
		for (let done = 0; done < length; ) {
			const count = readSync(fd, buffer, done, length - done, offset + done);
			if (count === 0) throw new SystemError("unexpected end of file");
			done += count;
		}
		return buffer;
	} finally {
		closeDescriptor(fd);
	}
}

function openRange(layer: OpenLayer, number: number, path: string): number {
	return layer.displaced.has(number)
		? openSync(join(displacedDirectory(layer.directory), String(number)), "r")
		: layer.root.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
}

async function* rangeChunks(layer: OpenLayer, range: FileRange, chunks: ChunkBuffer): AsyncGenerator<Uint8Array> {
	const fd = openRange(layer, range.number, range.path);
	try {
		for await (const chunk of fileChunks(fd, range.offset, range.length)) yield* chunks.add(chunk);
	} finally {
		closeDescriptor(fd);
	}
}

/** Files that a later member replaced were kept by their numbers; few layers have any. */
function displacedNumbers(directory: string): ReadonlySet<number> {
	try {
		return new Set(readdirSync(displacedDirectory(directory)).map(Number));
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return new Set();
		throw error;
	}
}

function displacedDirectory(directory: string): string {
	return join(dirname(directory), "displaced");
}
