const CHUNK_BYTES = 1 << 18;

/** Joins small pieces to chunks worth sending; big ones pass through uncopied. */
export class ChunkBuffer {
	#pieces: Uint8Array[] = [];
	#bytes = 0;

	/** @returns chunks that are ready */
	add(piece: Uint8Array): Uint8Array[] {
		if (piece.length === 0) return [];
		if (piece.length >= CHUNK_BYTES) return [...this.flush(), piece];
		this.#pieces.push(piece);
		this.#bytes += piece.length;
		return this.#bytes >= CHUNK_BYTES ? this.flush() : [];
	}

	flush(): Uint8Array[] {
		if (this.#bytes === 0) return [];
		const [first] = this.#pieces;
		const chunk = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces, this.#bytes);
		this.#pieces = [];
		this.#bytes = 0;
		return [chunk];
	}
}
