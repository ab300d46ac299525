/** Long synchronous work on the main thread, cut into slices between which everybody else has a turn. */
const SLICE_MS = 8;

export class Pacer {
	#sliceStart = performance.now();

	/** Whether `pause` would give way: asking first saves a promise for each step. */
	get isDue(): boolean {
		return performance.now() - this.#sliceStart >= SLICE_MS;
	}

	/** Call between steps of about a millisecond or less; gives way when the slice is used up. */
	async pause(): Promise<void> {
		if (!this.isDue) return;
		await new Promise((resolve) => setImmediate(resolve));
		this.#sliceStart = performance.now();
	}
}

const PIECE_BYTES = 1 << 17;

/** `chunk` in pieces small enough for one step each. */
export function* pieces(chunk: Uint8Array): Generator<Uint8Array> {
	if (chunk.length <= PIECE_BYTES) yield chunk;
	else
		for (let position = 0; position < chunk.length; position += PIECE_BYTES)
			yield chunk.subarray(position, position + PIECE_BYTES);
}
