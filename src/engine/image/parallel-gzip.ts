/**
 * gzip (RFC 1952) by several threads: the input is cut into blocks, each compressed by itself with the end of the one before as its
 * dictionary, and ended at a byte boundary, so that the blocks joined are one deflate stream. The same input always gives the same
 * bytes, whatever the pieces it comes in and however many threads there are.
 */
import { constants, crc32, deflateRaw } from "node:zlib";

const BLOCK_BYTES = 1 << 19;
/** As far as deflate looks back. */
const WINDOW_BYTES = 1 << 15;
/** Blocks in work or waiting for the reader: enough for the pool's threads, few enough for many layers at once. */
const BLOCKS_AHEAD = 4;
/** No name, no time, "unknown" operating system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty last block with fixed codes. */
const LAST_BLOCK = [3, 0];

/** @throws what `source` throws; the stream has no end then */
export async function* parallelGzip(source: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
	yield HEADER;
	let checksum = 0;
	let sizeBytes = 0;
	let dictionary: Buffer | undefined;
	const pending: Promise<Buffer>[] = [];
	for await (const block of blocksOf(source)) {
		checksum = crc32(block, checksum);
		sizeBytes += block.length;
		const compressed = compress(block, dictionary, level);
		// Whoever leaves early hears of no failure any more.
		compressed.catch(() => {});
		pending.push(compressed);
		dictionary = block.subarray(-WINDOW_BYTES);
		const first = pending.length < BLOCKS_AHEAD ? undefined : pending.shift();
		if (first !== undefined) yield await first;
	}
	for (const block of pending) yield await block;
	const end = Buffer.alloc(10);
	end.set(LAST_BLOCK);
	end.writeUInt32LE(checksum, 2);
	end.writeUInt32LE(sizeBytes % 2 ** 32, 6);
	yield end;
}

/** Copies: the reader of a stream may use its buffers again. All but the last are of the same size. */
async function* blocksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
	let block = Buffer.allocUnsafe(BLOCK_BYTES);
	let filled = 0;
	for await (const piece of source)
		for (let position = 0; position < piece.length; ) {
			const count = Math.min(BLOCK_BYTES - filled, piece.length - position);
			block.set(piece.subarray(position, position + count), filled);
			filled += count;
			position += count;
			if (filled < BLOCK_BYTES) continue;
			yield block;
			block = Buffer.allocUnsafe(BLOCK_BYTES);
			filled = 0;
		}
	if (filled > 0) yield block.subarray(0, filled);
}

function compress(block: Buffer, dictionary: Buffer | undefined, level: number): Promise<Buffer> {
	const options = {
		level,
		chunkSize: BLOCK_BYTES,
		finishFlush: constants.Z_SYNC_FLUSH,
		...(dictionary === undefined ? {} : { dictionary }),
	};
	return new Promise((resolve, reject) => {
		deflateRaw(block, options, (error, result) => (error === null ? resolve(result) : reject(error)));
	});
}
