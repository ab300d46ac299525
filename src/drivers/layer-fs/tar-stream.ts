import { Readable } from "node:stream";

/** Chunks are large: one ahead is enough, and what waits together would be copied into one. */
const AHEAD_BYTES = 1 << 16;

/** A byte stream of what the generator yields; destroying it ends the generator. */
export function tarStream(chunks: AsyncGenerator<Uint8Array>): Readable {
	return Readable.from(chunks, { objectMode: false, highWaterMark: AHEAD_BYTES });
}
