/** Archives come plain, gzipped, as zstd, bzip2 or xz; their first bytes tell. */
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError, errnoCode, errorMessage, InvalidParameterError } from "../../base/errors.ts";
import { decompressedBy } from "../linux/decompress-program.ts";
import { ZstdFrames } from "./zstd-frames.ts";

const CHUNK_BYTES = 1 << 18;
const MAGICS: readonly { readonly name: Compression; readonly bytes: readonly number[] }[] = [
	{ name: "gzip", bytes: [0x1f, 0x8b, 0x08] },
	{ name: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
	{ name: "bzip2", bytes: [0x42, 0x5a, 0x68] },
	{ name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
];
const LONGEST_MAGIC = 6;

type Compression = "none" | "gzip" | "zstd" | "bzip2" | "xz";

/**
 * The uncompressed bytes. Leaving the loop early ends the source, too.
 * @throws InvalidParameterError for damaged data, UnavailableError for bzip2 and xz where their programs are missing
 */
export async function* decompressed(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
	const iterator = source[Symbol.asyncIterator]();
	try {
		const head = await readHead(iterator);
		const compression = compressionOf(head);
		if (compression === "none") {
			if (head.length > 0) yield head;
			for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
		} else yield* inflate(compression, head, iterator);
	} finally {
		await iterator.return?.();
	}
}

async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
	let head: Uint8Array = new Uint8Array(0);
	while (head.length < LONGEST_MAGIC) {
		const next = await iterator.next();
		if (next.done === true) break;
		head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
	}
	return head;
}

function compressionOf(head: Uint8Array): Compression {
	const match = MAGICS.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
	return match?.name ?? "none";
}

async function* inflate(
	compression: Exclude<Compression, "none">,
	head: Uint8Array,
	iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
	if (compression === "bzip2" || compression === "xz") {
		yield* decompressedBy(compression, rest(head, iterator, undefined));
		return;
	}
	const decoder =
		compression === "gzip"
			? createGunzip({ chunkSize: CHUNK_BYTES })
			: createZstdDecompress({ chunkSize: CHUNK_BYTES });
	const frames = compression === "zstd" ? new ZstdFrames() : undefined;
	const input = Readable.from(rest(head, iterator, frames), { objectMode: false, highWaterMark: CHUNK_BYTES });
	// The source's own failure must reach the loop below as it is.
	input.on("error", (error) => decoder.destroy(error));
	input.pipe(decoder);
	try {
		for await (const chunk of decoder) yield chunk;
		if (frames?.isComplete === false) throw new InvalidParameterError("unexpected EOF");
	} catch (cause) {
		if (cause instanceof EngineError || !isDataError(cause)) throw cause;
		throw new InvalidParameterError(`invalid ${compression} data: ${errorMessage(cause)}`, { cause });
	} finally {
		input.destroy();
		decoder.destroy();
	}
}

function isDataError(error: unknown): boolean {
	const code = errnoCode(error) ?? "";
	return (
		code.startsWith("Z_") || code.startsWith("ZSTD_") || code.startsWith("ERR_ZSTD") || code.startsWith("ERR_BUFFER")
	);
}

async function* rest(
	head: Uint8Array,
	iterator: AsyncIterator<Uint8Array>,
	frames: ZstdFrames | undefined,
): AsyncGenerator<Uint8Array> {
	frames?.push(head);
	yield head;
	for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
		frames?.push(next.value);
		yield next.value;
	}
}
