/**
 * gzip (RFC 1952) as a row of members, one for each block: any decoder reads them as one file, as those of pigz and estargz. On one
 * machine the same input always gives the same bytes, whatever the pieces it comes in.
 *
 * ISA-L where the machine has it, else libdeflate at its lowest level: layers 2 % larger than those of zlib at level 3, in a third of its
 * time. Both take whole buffers only: hence the members.
 */
import { Pacer } from "../../base/pacer.ts";
import { isalCompressor, type MemberCompressor } from "../linux/isal.ts";

export const BLOCK_BYTES = 1 << 20;
const LIBDEFLATE_LEVEL = 1;

/** An empty source gives one empty member. @throws what `source` throws; what was given until then is no whole file */
export async function* gzipMembers(
	source: AsyncIterable<Uint8Array>,
	compress: MemberCompressor = memberCompressor(),
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
	const pacer = new Pacer();
	let isEmpty = true;
	for await (const block of blocksOf(source)) {
		isEmpty = false;
		yield compress(block);
		if (pacer.isDue) await pacer.pause();
	}
	if (isEmpty) yield compress(new Uint8Array(0));
}

/** Of this thread: its buffers serve all layers. */
let compressor: MemberCompressor | undefined;

function memberCompressor(): MemberCompressor {
	compressor ??= isalCompressor(BLOCK_BYTES) ?? libdeflate;
	return compressor;
}

export function libdeflate(block: Uint8Array): Uint8Array<ArrayBuffer> {
	return Bun.gzipSync(block as Uint8Array<ArrayBuffer>, { library: "libdeflate", level: LIBDEFLATE_LEVEL });
}

/** All but the last are of the same size. A block may be written over when the next one is asked for. */
async function* blocksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
	let block: Uint8Array | undefined;
	let filled = 0;
	for await (const piece of source)
		for (let position = 0; position < piece.length; ) {
			if (filled === 0 && piece.length - position >= BLOCK_BYTES) {
				yield piece.subarray(position, position + BLOCK_BYTES);
				position += BLOCK_BYTES;
				continue;
			}
			block ??= new Uint8Array(BLOCK_BYTES);
			const count = Math.min(BLOCK_BYTES - filled, piece.length - position);
			block.set(piece.subarray(position, position + count), filled);
			filled += count;
			position += count;
			if (filled < BLOCK_BYTES) continue;
			yield block;
			filled = 0;
		}
	if (filled > 0 && block !== undefined) yield block.subarray(0, filled);
}
