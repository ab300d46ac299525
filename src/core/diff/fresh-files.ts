/** Together; what is beyond is read again. */
const LIMIT_BYTES = 8 << 20;

/**
 * Contents of small files that were written a moment ago into what becomes a layer: who takes the layer's digest need not open and read
 * each of them again. They have no extended attributes.
 */
export class FreshFiles {
	readonly #contents = new Map<string, Uint8Array>();
	#bytes = 0;

	/** @param path in the layer, without a slash in front. @param contents copied */
	add(path: string, contents: Uint8Array): void {
		if (this.#bytes + contents.length > LIMIT_BYTES) return;
		this.#bytes += contents.length;
		this.#contents.set(path, contents.slice());
	}

	/** Undefined for a file that has another size by now. */
	contents(path: string, sizeBytes: number): Uint8Array | undefined {
		const contents = this.#contents.get(path);
		return contents?.length === sizeBytes ? contents : undefined;
	}
}
