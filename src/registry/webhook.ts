import { randomUUID } from "node:crypto";
import { type Clock, delay } from "../base/clock.ts";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { RegistryEvent } from "./events.ts";
import type { Metrics } from "./metrics.ts";

const MEDIA_TYPE = "application/vnd.docker.distribution.events.v2+json";
const QUEUE_LIMIT = 10_000;
const BATCH_LIMIT = 50;
const TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 60_000;
/** After so many tries in a row a batch is dropped: the receiver is wrong about it, or gone for long. */
const ATTEMPT_LIMIT = 12;

export interface WebhookTarget {
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly actions: ReadonlySet<string>;
}

/** Sends events to one address, in order, until they are taken. What does not fit into the queue is dropped and counted. */
export class Webhook implements AsyncDisposable {
	readonly #queue: object[] = [];
	readonly #abort = new AbortController();
	#sending: Promise<void> | undefined;

	constructor(
		private readonly target: WebhookTarget,
		private readonly deps: {
			readonly clock: Clock;
			readonly logger: Logger;
			readonly metrics: Metrics;
			readonly instance: string;
		},
	) {}

	notify(event: RegistryEvent): void {
		if (!this.target.actions.has(event.action) || this.#abort.signal.aborted) return;
		if (this.#queue.length >= QUEUE_LIMIT) {
			this.#count("dropped", 1);
			return;
		}
		this.#queue.push(envelope(event, this.deps.clock.now(), this.deps.instance));
		this.#sending ??= this.#sendAll().finally(() => {
			this.#sending = undefined;
		});
	}

	get queueLength(): number {
		return this.#queue.length;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#abort.abort(new Error("the registry is ending"));
		await this.#sending;
	}

	async #sendAll(): Promise<void> {
		while (this.#queue.length > 0 && !this.#abort.signal.aborted) {
			const batch = this.#queue.slice(0, BATCH_LIMIT);
			const isTaken = await this.#deliver(batch);
			this.#queue.splice(0, batch.length);
			this.#count(isTaken ? "sent" : "dropped", batch.length);
		}
	}

	async #deliver(batch: readonly object[]): Promise<boolean> {
		const { clock, logger } = this.deps;
		const { signal } = this.#abort;
		for (let attempt = 1, waitMs = FIRST_RETRY_MS; ; attempt++, waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
			try {
				await this.#post(batch);
				return true;
			} catch (error) {
				if (signal.aborted) return false;
				const isLast = attempt >= ATTEMPT_LIMIT;
				// The address may hold a secret; its host does not.
				const fields = { host: new URL(this.target.url).host, attempt, error: errorMessage(error) };
				logger.warn(isLast ? "notification given up" : "notification failed", fields);
				if (isLast) return false;
				this.#count("retried", batch.length);
				// Ended early when the registry ends.
				await delay(clock, waitMs, signal).catch(() => undefined);
			}
		}
	}

	async #post(events: readonly object[]): Promise<void> {
		const { url, headers } = this.target;
		const response = await fetch(url, {
			method: "POST",
			headers: { ...headers, "Content-Type": MEDIA_TYPE },
			body: JSON.stringify({ events }),
			redirect: "error",
			signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(TIMEOUT_MS)]),
		});
		await response.body?.cancel();
		if (!response.ok) throw new Error(`answered ${response.status}`);
	}

	#count(result: string, events: number): void {
		this.deps.metrics.add("gantry_registry_webhook_events_total", { result }, events);
	}
}

/** An event in the shape that receivers of other registries' notifications know. */
function envelope(event: RegistryEvent, nowMs: number, instance: string): object {
	const { request, repository, digest, tag, mediaType, sizeBytes, fromRepository } = event;
	const path = mediaType === undefined || mediaType === "application/octet-stream" ? "blobs" : "manifests";
	return {
		id: randomUUID(),
		timestamp: new Date(nowMs).toISOString(),
		action: event.action,
		target: {
			...(mediaType === undefined ? {} : { mediaType }),
			...(sizeBytes === undefined ? {} : { size: sizeBytes, length: sizeBytes }),
			...(digest === undefined ? {} : { digest }),
			repository,
			...(fromRepository === undefined ? {} : { fromRepository }),
			...(digest === undefined ? {} : { url: `/v2/${repository}/${path}/${digest}` }),
			...(tag === undefined ? {} : { tag }),
		},
		request: {
			id: request.id,
			addr: request.address,
			host: request.host,
			method: request.method,
			useragent: request.userAgent,
		},
		actor: request.user === "" ? {} : { name: request.user },
		source: { instanceID: instance },
	};
}
