import { readSync } from "node:fs";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { encodePath } from "../../core/diff/path-text.ts";
import { type DecompressProgram, decompressedBeginning } from "../linux/decompress-program.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import type { RootDirectory } from "../linux/root-directory.ts";

const HEAD_BYTES = 1 << 16;
/** A whole block of bzip2, which gives nothing before its end. */
const PROGRAM_HEAD_BYTES = 1 << 20;
const BLOCK_BYTES = 512;
const PROGRAMS: readonly { readonly program: DecompressProgram; readonly magic: readonly number[] }[] = [
	{ program: "bzip2", magic: [0x42, 0x5a, 0x68] },
	{ program: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0] },
];

/**
 * Whether ADD unpacks the file: a tar, plain or compressed, told by its contents.
 * bzip2 and xz count by their first bytes where their programs are missing: unpacking then says so.
 */
export function isArchive(root: RootDirectory, path: string): boolean {
	const fd = root.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
	try {
		const buffer = Buffer.alloc(HEAD_BYTES);
		const head = buffer.subarray(0, readSync(fd, buffer, 0, HEAD_BYTES, 0));
		const program = PROGRAMS.find(({ magic }) => startsWith(head, magic))?.program;
		if (program !== undefined) {
			const more = Buffer.alloc(PROGRAM_HEAD_BYTES);
			const beginning = decompressedBeginning(program, more.subarray(0, readSync(fd, more, 0, more.length, 0)));
			return beginning === undefined || isTarHeader(beginning);
		}
		if (startsWith(head, [0x1f, 0x8b])) return isTarHeader(begin(() => gunzipSync(head, PARTIAL)));
		if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return isTarHeader(begin(() => zstdDecompressSync(head, PARTIAL)));
		return isTarHeader(head);
	} finally {
		closeDescriptor(fd);
	}
}

/** Z_SYNC_FLUSH, ZSTD_e_flush: what there is, although the input stops in the middle. */
const PARTIAL = { finishFlush: 2, maxOutputLength: 1 << 24 };

function begin(inflate: () => Buffer): Buffer {
	try {
		return inflate();
	} catch {
		// Damaged, or nothing but the same first bytes: no archive.
		return Buffer.alloc(0);
	}
}

function startsWith(head: Buffer, magic: readonly number[]): boolean {
	return magic.every((byte, index) => head[index] === byte);
}

/** The checksum of the first header is right. */
function isTarHeader(head: Buffer): boolean {
	if (head.length < BLOCK_BYTES) return false;
	const stored = Number.parseInt(head.toString("latin1", 148, 156).replace(/[\0 ].*$/s, "") || "x", 8);
	let sum = 8 * 0x20;
	for (let index = 0; index < BLOCK_BYTES; index++) if (index < 148 || index >= 156) sum += head[index] ?? 0;
	return sum === stored;
}
