import { CancelledError } from "../../../base/errors.ts";
import { encodeStatus, type SourceText } from "../../../core/build/buildkit/solve-status.ts";
import type { BuildEvent } from "../../../core/build/progress.ts";
import { EventQueue, type EventReceiver } from "../event-queue.ts";

/** A build that nobody looks at is told to nobody: its output must not wait for ever. */
const WATCHER_WAIT_MS = 5000;

export type StatusSender = (message: Uint8Array) => Promise<void>;

/** The progress of one build, on its way to the client that looks at it: one, from any time on. */
export class StatusFeed implements EventReceiver {
	readonly queue: EventQueue;
	/** The Dockerfile, once it is known. */
	source: SourceText | undefined;
	readonly #watcher = Promise.withResolvers<StatusSender>();
	readonly #ended = Promise.withResolvers<void>();
	#timer: NodeJS.Timeout | undefined;
	#isWatched = false;

	constructor() {
		this.#watcher.promise.catch(() => {});
		this.queue = new EventQueue(this);
	}

	/** Sends what there is up to the end. Resolves when the build is over and everything is sent, or the client has gone. */
	async watch(send: StatusSender, signal: AbortSignal): Promise<void> {
		// A second look at the same build waits for its end: what is told, is told once.
		if (!this.#isWatched) this.#watcher.resolve(send);
		this.#isWatched = true;
		const gone = Promise.withResolvers<void>();
		const onAbort = () => gone.resolve();
		signal.addEventListener("abort", onAbort, { once: true });
		if (signal.aborted) onAbort();
		await Promise.race([this.#ended.promise, gone.promise]);
		signal.removeEventListener("abort", onAbort);
	}

	/** Resolves when somebody has begun to look, or it is too late for that: a build may be over before its client looks. */
	async watched(): Promise<void> {
		if (this.#isWatched) return;
		const timer = setTimeout(() => this.#watcher.reject(new CancelledError("nobody watches")), WATCHER_WAIT_MS);
		timer.unref();
		await this.#watcher.promise.catch(() => undefined);
		clearTimeout(timer);
	}

	/** The build is over. Resolves when its events are sent. */
	async end(): Promise<void> {
		await this.queue.close();
		clearTimeout(this.#timer);
		this.#ended.resolve();
	}

	async ready(): Promise<void> {
		if (!this.#isWatched)
			this.#timer ??= setTimeout(() => this.#watcher.reject(new CancelledError("nobody watches")), WATCHER_WAIT_MS);
		await this.#watcher.promise;
		clearTimeout(this.#timer);
	}

	async send(events: readonly BuildEvent[]): Promise<void> {
		const send = await this.#watcher.promise;
		await send(encodeStatus(events, this.source));
	}
}
