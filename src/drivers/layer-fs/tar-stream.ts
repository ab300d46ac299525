import { Readable } from "node:stream";

/** A byte stream of what the generator yields; destroying it ends the generator. */
export function tarStream(chunks: AsyncGenerator<Uint8Array>): Readable {
	return Readable.from(chunks, { objectMode: false, highWaterMark: 1 << 20 });
}
