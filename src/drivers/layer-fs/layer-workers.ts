import { CancelledError, SystemError } from "../../base/errors.ts";
import type { AppliedLayer, ApplyOptions, CompressOptions, LayerSource } from "../../core/diff/archiver.ts";
import type { FromWorker } from "./layer-work.ts";
import { CompressionWork, type PostToWork, type ThreadWork, UnpackWork } from "./thread-work.ts";

export interface LayerWorkersOptions {
	/** Of the program that calls `serveLayerWork`. */
	readonly script: string | URL;
	/** Of the content store that re-assembly records go to. */
	readonly contentRoot: string;
	readonly limit: number;
	/** How long a thread without work stays. */
	readonly idleMs: number;
}

/**
 * Threads that unpack and compress layers. They are started when there is work and end when there has been none for a while; a thread unpacks several
 * layers at once when there are more layers than threads. Unpacking is worth it where cores are free: handing the bytes over costs a
 * fifth more.
 */
export class LayerWorkers implements Disposable {
	readonly #threads = new Set<LayerThread>();

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
		const work = this.#thread().begin((post) => {
			post({ kind: "begin", order: { contentRoot, directory, diffId, tarLimitBytes } }, []);
			return new UnpackWork(post);
		});
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

	/** As `LayerApplier.compress`. */
	async *compress(source: LayerSource, options: CompressOptions): AsyncGenerator<Uint8Array> {
		const { contentRoot } = this.options;
		const work = this.#thread().begin((post) => {
			post({ kind: "compress", order: { contentRoot, source, tar: options.tar } }, []);
			return new CompressionWork(options, post);
		});
		yield* work.bytes();
	}

	/** Starts a thread, unless there is one: that takes a while, and work is about to come. */
	prepare(): void {
		if (this.size === 0) this.#start();
	}

	[Symbol.dispose](): void {
		for (const thread of this.#threads) thread.terminate();
	}

	/** The one with the least to do; a new one rather than a busy one. */
	#thread(): LayerThread {
		const [least] = [...this.#threads].sort((a, b) => a.works - b.works);
		if (least !== undefined && (least.works === 0 || this.size >= this.options.limit)) return least;
		return this.#start();
	}

	#start(): LayerThread {
		const thread = new LayerThread(this.options, () => this.#threads.delete(thread));
		this.#threads.add(thread);
		return thread;
	}
}

class LayerThread {
	readonly #worker: Worker;
	readonly #works = new Map<number, ThreadWork>();
	#nextWork = 0;
	#idle: NodeJS.Timeout | undefined;

	constructor(
		private readonly options: LayerWorkersOptions,
		private readonly onEnd: () => void,
	) {
		this.#worker = new Worker(options.script, { smol: true });
		this.#worker.unref();
		this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#works.get(data.work)?.take(data);
		this.#worker.onerror = ({ message }) => this.terminate(new SystemError(`a layer's thread failed: ${message}`));
		this.#rest();
	}

	get works(): number {
		return this.#works.size;
	}

	begin<W extends ThreadWork>(make: (post: PostToWork) => W): W {
		clearTimeout(this.#idle);
		const number = this.#nextWork++;
		const work = make((message, transfer) => this.#worker.postMessage({ ...message, work: number }, transfer));
		this.#works.set(number, work);
		work.result.catch(() => {}).finally(() => this.#finished(number));
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
		if (this.works === 0) this.#rest();
	}

	#rest(): void {
		this.#idle = setTimeout(() => this.terminate(), this.options.idleMs);
		this.#idle.unref();
	}
}
