/** Layers that a thread works on, as the main thread sees them. */
import { EngineError } from "../../base/errors.ts";
import type { AppliedLayer, CompressOptions } from "../../core/diff/archiver.ts";
import type { FromWorker, ToWorker } from "./layer-work.ts";

/** Bytes on their way to a thread, for each layer. */
const WINDOW_BYTES = 4 << 20;

/** Tells the thread something about one work. */
export type PostToWork = (message: DistributiveOmit<ToWorker, "work">, transfer: ArrayBuffer[]) => void;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export interface ThreadWork {
	/** Settles when the thread has nothing of it open any more. */
	readonly result: Promise<unknown>;
	take(message: FromWorker): void;
	fail(error: Error): void;
}

/** What one work has of its own on this side: an end, and somebody who may wait for news of the thread. */
abstract class LayerThreadWork<Result> implements ThreadWork {
	readonly #result = Promise.withResolvers<Result>();
	#isOver = false;
	#wake = Promise.withResolvers<void>();

	constructor(protected readonly post: PostToWork) {}

	get result(): Promise<Result> {
		return this.#result.promise;
	}

	take(message: FromWorker): void {
		if (message.kind === "failed") this.fail(new EngineError(message.error, message.message));
		else this.hear(message);
	}

	fail(error: Error): void {
		this.#over();
		this.#result.reject(error);
	}

	abort(): void {
		if (!this.#isOver) this.post({ kind: "abort" }, []);
	}

	protected get isOver(): boolean {
		return this.#isOver;
	}

	/** All but failures. */
	protected abstract hear(message: FromWorker): void;

	protected succeed(result: Result): void {
		this.#over();
		this.#result.resolve(result);
	}

	protected wake(): void {
		this.#wake.resolve();
	}

	protected async news(): Promise<void> {
		await this.#wake.promise;
		this.#wake = Promise.withResolvers();
	}

	#over(): void {
		this.#isOver = true;
		this.#wake.resolve();
	}
}

/** A layer being unpacked. */
export class UnpackWork extends LayerThreadWork<AppliedLayer> {
	#onTheWay = 0;

	/** Resolves when there is room for more. @returns false when the thread wants no more */
	async send(bytes: Uint8Array): Promise<boolean> {
		if (this.isOver) return false;
		// A copy: readers of files and sockets use their buffers again.
		const copy = new Uint8Array(bytes);
		this.post({ kind: "bytes", bytes: copy }, [copy.buffer]);
		this.#onTheWay += bytes.length;
		while (this.#onTheWay > WINDOW_BYTES && !this.isOver) await this.news();
		return !this.isOver;
	}

	end(): void {
		if (!this.isOver) this.post({ kind: "end" }, []);
	}

	protected override hear(message: FromWorker): void {
		if (message.kind === "done") this.succeed(message.applied);
		else if (message.kind === "taken") {
			this.#onTheWay -= message.count;
			this.wake();
		}
	}
}

/** A layer being compressed. */
export class CompressionWork extends LayerThreadWork<void> {
	readonly #pieces: Uint8Array[] = [];

	constructor(
		readonly options: CompressOptions,
		post: PostToWork,
	) {
		super(post);
	}

	/** To be read once. Who leaves early waits until the thread has nothing open any more. @throws EngineError of the thread's kind */
	async *bytes(): AsyncGenerator<Uint8Array> {
		try {
			for (;;) {
				const piece = this.#pieces.shift();
				if (piece !== undefined) {
					this.post({ kind: "taken", count: piece.length }, []);
					yield piece;
					// Given back at once: the collector would let tens of megabytes of them stand.
					(piece.buffer as ArrayBuffer).transfer(0);
				} else if (this.isOver) break;
				else await this.news();
			}
			await this.result;
		} finally {
			this.abort();
			await this.result.catch(() => {});
		}
	}

	protected override hear(message: FromWorker): void {
		if (message.kind === "compressed") this.succeed();
		else if (message.kind === "bytes") {
			this.#pieces.push(message.bytes);
			this.options.onRead?.(message.readBytes);
			this.wake();
		}
	}
}
