import { Readable } from "node:stream";

const BUFFERED_BYTES = 1024 * 1024;

/**
 * A stream of what a generator yields. Unlike `Readable.from` it tells the generator that nobody reads any more before it
 * waits for its end: a generator that waits for something else would never hear of it.
 */
export class ChunkStream extends Readable {
	readonly #chunks: AsyncGenerator<Buffer>;
	readonly #closed: AbortController;
	#isPulling = false;
	#isAskedAgain = false;

	/** @param closed aborted when the stream is destroyed */
	constructor(chunks: AsyncGenerator<Buffer>, closed: AbortController) {
		super({ highWaterMark: BUFFERED_BYTES });
		this.#chunks = chunks;
		this.#closed = closed;
	}

	override _read(): void {
		this.#isAskedAgain = this.#isPulling;
		if (this.#isPulling) return;
		this.#isPulling = true;
		this.#pull().catch((error: Error) => this.destroy(error));
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.#closed.abort();
		this.#chunks.return(undefined).then(
			() => done(error),
			(failure: Error) => done(error ?? failure),
		);
	}

	async #pull(): Promise<void> {
		let wantsMore = true;
		while (wantsMore || this.#isAskedAgain) {
			this.#isAskedAgain = false;
			const next = await this.#chunks.next();
			if (this.destroyed) return;
			wantsMore = this.push(next.done === true ? null : next.value);
			if (next.done === true) return;
		}
		this.#isPulling = false;
	}
}
