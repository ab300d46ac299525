import { CancelledError, EngineError, SystemError } from "../../base/errors.ts";
import type { AppliedLayer, ApplyOptions } from "../../core/diff/archiver.ts";
import type { FromWorker, ToWorker, UnpackOrder } from "./layer-work.ts";

export interface LayerWorkersOptions {
	/** Of the program that calls `serveLayerWork`. */
	readonly script: string | URL;
	/** Of the content store that re-assembly records go to. */
	readonly contentRoot: string;
	readonly limit: number;
	/** How long a thread without work stays. */
	readonly idleMs: number;
}

/** Bytes on their way to a thread, for each layer. */
const WINDOW_BYTES = 4 << 20;

/**
 * Threads that unpack layers. They are started when there is work and end when there has been none for a while; a thread unpacks several
 * layers at once when there are more layers than threads. Worth it where cores are free: handing the bytes over costs a fifth more.
 */
export class LayerWorkers implements Disposable {
	readonly #threads = new Set<LayerThread>();
	#nextWork = 0;

	constructor(private readonly options: LayerWorkersOptions) {}

	/** Threads there are now. */
	get size(): number {
		return this.#threads.size;
	}

	/**
	 * As `LayerApplier.apply`. Resolves or rejects when the thread has nothing of it open any more.
	 * @throws what `archive` throws, EngineErrors of the same kinds as `unpackLayer`
	 */
	async unpack(
		archive: AsyncIterable<Uint8Array>,
		directory: string,
		{ diffId, tarLimitBytes }: Omit<ApplyOptions, "onProgress">,
	): Promise<AppliedLayer> {
		const { contentRoot } = this.options;
		const work = this.#thread().begin(this.#nextWork++, { contentRoot, directory, diffId, tarLimitBytes });
		try {
			for await (const chunk of archive) if (!(await work.send(chunk))) break;
		} catch (error) {
			work.abort();
			await work.result.catch(() => {});
			throw error;
		}
		work.end();
		return await work.result;
	}

	[Symbol.dispose](): void {
		for (const thread of this.#threads) thread.terminate();
	}

	/** The one with the least to do; a new one rather than a busy one. */
	#thread(): LayerThread {
		const [least] = [...this.#threads].sort((a, b) => a.works - b.works);
		if (least !== undefined && (least.works === 0 || this.size >= this.options.limit)) return least;
		const thread = new LayerThread(this.options, () => this.#threads.delete(thread));
		this.#threads.add(thread);
		return thread;
	}
}

class LayerThread {
	readonly #worker: Worker;
	readonly #works = new Map<number, LayerWork>();
	#idle: NodeJS.Timeout | undefined;

	constructor(
		private readonly options: LayerWorkersOptions,
		private readonly onEnd: () => void,
	) {
		this.#worker = new Worker(options.script, { smol: true });
		this.#worker.unref();
		this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#works.get(data.work)?.take(data);
		this.#worker.onerror = ({ message }) => this.terminate(new SystemError(`a layer's thread failed: ${message}`));
	}

	get works(): number {
		return this.#works.size;
	}

	begin(number: number, order: UnpackOrder): LayerWork {
		clearTimeout(this.#idle);
		const work = new LayerWork(number, (message, transfer) => this.#worker.postMessage(message, transfer));
		this.#works.set(number, work);
		work.result.catch(() => {}).finally(() => this.#finished(number));
		this.#worker.postMessage({ work: number, kind: "begin", order } satisfies ToWorker);
		return work;
	}

	terminate(reason: Error = new CancelledError()): void {
		clearTimeout(this.#idle);
		this.onEnd();
		this.#worker.terminate();
		for (const work of this.#works.values()) work.fail(reason);
	}

	#finished(number: number): void {
		this.#works.delete(number);
		if (this.works > 0) return;
		this.#idle = setTimeout(() => this.terminate(), this.options.idleMs);
		this.#idle.unref();
	}
}

/** One layer, as the main thread sees it. */
class LayerWork {
	readonly #result = Promise.withResolvers<AppliedLayer>();
	#isOver = false;
	#onTheWay = 0;
	#wake = Promise.withResolvers<void>();

	constructor(
		readonly number: number,
		private readonly post: (message: ToWorker, transfer: ArrayBuffer[]) => void,
	) {}

	get result(): Promise<AppliedLayer> {
		return this.#result.promise;
	}

	/** Resolves when there is room for more. @returns false when the thread wants no more */
	async send(bytes: Uint8Array): Promise<boolean> {
		if (this.#isOver) return false;
		// A copy: readers of files and sockets use their buffers again.
		const copy = new Uint8Array(bytes);
		this.post({ work: this.number, kind: "bytes", bytes: copy }, [copy.buffer]);
		this.#onTheWay += bytes.length;
		while (this.#onTheWay > WINDOW_BYTES && !this.#isOver) {
			await this.#wake.promise;
			this.#wake = Promise.withResolvers();
		}
		return !this.#isOver;
	}

	end(): void {
		if (!this.#isOver) this.post({ work: this.number, kind: "end" }, []);
	}

	abort(): void {
		if (!this.#isOver) this.post({ work: this.number, kind: "abort" }, []);
	}

	take(message: FromWorker): void {
		if (message.kind === "failed") this.fail(new EngineError(message.error, message.message));
		else if (message.kind === "done") {
			this.#over();
			this.#result.resolve(message.applied);
		} else {
			this.#onTheWay -= message.count;
			this.#wake.resolve();
		}
	}

	fail(error: Error): void {
		this.#over();
		this.#result.reject(error);
	}

	#over(): void {
		this.#isOver = true;
		this.#wake.resolve();
	}
}
