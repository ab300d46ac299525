import type { Timer } from "../base/clock.ts";
import { errorMessage } from "../base/errors.ts";
import { type CollectionOptions, collectGarbage } from "./garbage-collector.ts";
import type { Registry } from "./registry.ts";

export interface CollectionSchedule extends CollectionOptions {
	/** 0 for never. */
	readonly intervalMs: number;
	readonly uploadExpiryMs: number;
	/** Further housekeeping of the same rhythm, before the collection. */
	readonly expire?: () => Promise<void>;
}

/** Collects garbage now and then, one collection at a time. */
export class CollectionLoop implements AsyncDisposable {
	#running: Promise<void> | undefined;
	#timer: Timer | undefined;
	readonly #abort = new AbortController();

	constructor(
		private readonly registry: Registry,
		private readonly schedule: CollectionSchedule,
	) {
		this.#plan();
	}

	/** Ends with the collection that runs, or with a new one. Failures go to the log and the metrics. */
	collect(): Promise<void> {
		this.#running ??= this.#collect().finally(() => {
			this.#running = undefined;
		});
		return this.#running;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#timer?.cancel();
		this.#abort.abort();
		await this.#running;
	}

	#plan(): void {
		const { intervalMs } = this.schedule;
		if (intervalMs <= 0 || this.#abort.signal.aborted) return;
		this.#timer = this.registry.clock.after(intervalMs, () => void this.collect().finally(() => this.#plan()));
	}

	async #collect(): Promise<void> {
		const { registry, schedule } = this;
		const { logger, metrics, clock } = registry;
		const startedMs = clock.now();
		try {
			await schedule.expire?.();
			const uploads = await registry.uploads.cleanUp(startedMs - schedule.uploadExpiryMs);
			const done = await collectGarbage(registry, schedule, this.#abort.signal);
			for (const kind of ["manifests", "links", "blobs"] as const)
				metrics.add("gantry_registry_collected_total", { kind }, done[kind]);
			metrics.add("gantry_registry_collected_bytes_total", {}, done.sizeBytes);
			metrics.add("gantry_registry_collections_total", { result: "done" });
			logger.info("garbage collected", { ...done, uploads, durationMs: clock.now() - startedMs });
		} catch (error) {
			if (this.#abort.signal.aborted) return;
			metrics.add("gantry_registry_collections_total", { result: "failed" });
			logger.error("garbage collection failed", { error: errorMessage(error) });
		}
	}
}
