import { Readable } from "node:stream";
import { CancelledError, InvalidParameterError } from "../../base/errors.ts";

/**
 * A request's body, fed by its connection. Nothing is read from the network beyond one chunk before somebody asks, so a
 * handler that refuses early never takes an upload in. Read it once: as `bytes` or as `stream`.
 */
export class RequestBody {
	#queued: Buffer[] = [];
	#stream: Readable | undefined;
	#collector: { readonly resolve: (bytes: Buffer) => void; readonly reject: (error: Error) => void } | undefined;
	#collectedBytes = 0;
	#limitBytes = 0;
	#finished: boolean;
	#failure: Error | undefined;

	constructor(
		/** False when the request has no body at all. */
		readonly isPresent: boolean,
		private readonly flow: { readonly resume: () => void; readonly pause: () => void; readonly wanted: () => void },
	) {
		this.#finished = !isPresent;
	}

	/** Whether every byte has arrived. */
	get isFinished(): boolean {
		return this.#finished;
	}

	get isConsumed(): boolean {
		return this.#stream !== undefined || this.#collector !== undefined;
	}

	/** @throws InvalidParameterError when it is larger than `limitBytes`, CancelledError when the client went away. */
	bytes(limitBytes: number): Promise<Buffer> {
		if (this.#failure !== undefined) return Promise.reject(this.#failure);
		if (!this.isPresent) return Promise.resolve(Buffer.alloc(0));
		const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
		this.#collector = { resolve, reject };
		this.#limitBytes = limitBytes;
		this.#collectedBytes = this.#queued.reduce((sum, part) => sum + part.length, 0);
		this.flow.wanted();
		if (this.#collectedBytes > limitBytes) this.#tooLarge();
		else if (this.#finished) this.#settle();
		else this.flow.resume();
		return promise;
	}

	stream(): Readable {
		if (this.#stream !== undefined) return this.#stream;
		const stream = new Readable({
			read: () => {
				this.flow.wanted();
				this.flow.resume();
			},
		});
		// Its reader hears of a failure by reading; one that has stopped reading already must not bring the process down.
		stream.on("error", () => {});
		this.#stream = stream;
		if (this.#failure !== undefined) {
			stream.destroy(this.#failure);
			return stream;
		}
		for (const part of this.#queued.splice(0)) stream.push(part);
		if (this.#finished) stream.push(null);
		return stream;
	}

	/** The connection's side: another part of the body. */
	accept(part: Buffer): void {
		if (this.#failure !== undefined) return;
		if (this.#stream !== undefined) {
			if (!this.#stream.destroyed && !this.#stream.push(part)) this.flow.pause();
			return;
		}
		this.#queued.push(part);
		if (this.#collector === undefined) {
			this.flow.pause();
			return;
		}
		this.#collectedBytes += part.length;
		if (this.#collectedBytes > this.#limitBytes) this.#tooLarge();
	}

	/** The connection's side: the body has ended. */
	finish(): void {
		this.#finished = true;
		if (this.#stream !== undefined && !this.#stream.destroyed) this.#stream.push(null);
		else if (this.#collector !== undefined) this.#settle();
	}

	/** The connection's side: the rest will never come. */
	fail(error: Error = new CancelledError("unexpected EOF")): void {
		if (this.#finished || this.#failure !== undefined) return;
		this.#failure = error;
		this.#queued = [];
		this.#collector?.reject(error);
		this.#stream?.destroy(error);
	}

	#settle(): void {
		const parts = this.#queued.splice(0);
		const [only] = parts;
		this.#collector?.resolve(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts));
	}

	#tooLarge(): void {
		this.#queued = [];
		this.#failure = new InvalidParameterError("http: request body too large");
		this.#collector?.reject(this.#failure);
		this.flow.pause();
	}
}
