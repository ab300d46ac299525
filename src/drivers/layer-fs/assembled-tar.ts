import { readSync } from "node:fs";
import type { Digest } from "../../base/digest.ts";
import { SystemError } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { FileRange } from "../../core/diff/assembly.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { AssemblyFiles, assemblyRecords } from "./assembly-files.ts";
import { ChunkBuffer } from "./chunk-buffer.ts";
import { fileChunks } from "./file-chunks.ts";

const SMALL_BYTES = 1 << 16;

/** The layer's tar again, from its re-assembly record and its unpacked files. Big files are read off the thread. */
export async function* assembledTar(
	content: ContentStore,
	directory: string,
	assembly: Digest,
): AsyncGenerator<Uint8Array> {
	using files = new AssemblyFiles(directory);
	const chunks = new ChunkBuffer();
	const pacer = new Pacer();
	for await (const records of assemblyRecords(content, assembly))
		for (const record of records) {
			if (record.kind === "raw") yield* chunks.add(record.bytes);
			else if (record.range.length <= SMALL_BYTES) yield* chunks.add(smallRange(files, record.range));
			else yield* rangeChunks(files, record.range, chunks);
			if (pacer.isDue) await pacer.pause();
		}
	yield* chunks.flush();
}

/**
 * The same in blocks, all but the last as long as `block`, which is what each of them is: it is filled again for the next one. Files are
 * read on the thread, straight into it.
 */
export async function* assembledBlocks(
	content: ContentStore,
	{ directory, assembly }: { readonly directory: string; readonly assembly: Digest },
	block: Uint8Array,
): AsyncGenerator<Uint8Array> {
	using files = new AssemblyFiles(directory);
	let filled = 0;
	for await (const records of assemblyRecords(content, assembly))
		for (const record of records) {
			const length = record.kind === "raw" ? record.bytes.length : record.range.length;
			const fd = record.kind === "raw" ? undefined : files.open(record.range);
			try {
				for (let done = 0; done < length; ) {
					const size = Math.min(length - done, block.length - filled);
					if (record.kind === "raw") block.set(record.bytes.subarray(done, done + size), filled);
					else if (fd !== undefined) readFully(fd, block, filled, size, record.range.offset + done);
					filled += size;
					done += size;
					if (filled < block.length) continue;
					yield block;
					filled = 0;
				}
			} finally {
				if (fd !== undefined) closeDescriptor(fd);
			}
		}
	if (filled > 0) yield block.subarray(0, filled);
}

/** Most files are small, and waiting for a thread costs more than reading them. @throws SystemError when it is shorter */
function smallRange(files: AssemblyFiles, range: FileRange): Uint8Array {
	const fd = files.open(range);
	try {
		const buffer = Buffer.allocUnsafe(range.length);
		readFully(fd, buffer, 0, range.length, range.offset);
		return buffer;
	} finally {
		closeDescriptor(fd);
	}
}

function readFully(fd: number, buffer: Uint8Array, start: number, length: number, offset: number): void {
	for (let done = 0; done < length; ) {
		const count = readSync(fd, buffer, start + done, length - done, offset + done);
		if (count === 0) throw new SystemError("unexpected end of file");
		done += count;
	}
}

async function* rangeChunks(files: AssemblyFiles, range: FileRange, chunks: ChunkBuffer): AsyncGenerator<Uint8Array> {
	const fd = files.open(range);
	try {
		for await (const chunk of fileChunks(fd, range.offset, range.length)) yield* chunks.add(chunk);
	} finally {
		closeDescriptor(fd);
	}
}
