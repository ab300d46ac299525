import { CancelledError } from "../../base/errors.ts";
import type { RemoteBlob } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { retryDelayMs } from "../../core/remotes/retry.ts";
import type { EndpointConnection } from "./endpoint-connection.ts";
import type { HttpAnswer } from "./http-client.ts";
import { beforeRetry, type RetryOptions } from "./retrying.ts";

export interface TransferSource {
	readonly path: string;
	/** In the order to try them. */
	readonly connections: readonly EndpointConnection[];
	/** Hosts that gave wrong bytes of it before, as `suspects` had them. */
	readonly distrusted: ReadonlySet<string>;
	readonly retry: RetryOptions;
}

/** One blob on its way: goes on where it was cut off, at the same host or at the next. */
export class BlobTransfer {
	#offset = 0;
	/** In a row, without a byte between them. */
	#failures = 0;
	#answer: HttpAnswer | undefined;
	readonly #places: Place[];
	/** Who gave bytes of it so far. */
	readonly #givers = new Set<string>();

	constructor(
		readonly source: TransferSource,
		readonly blob: RemoteBlob,
		readonly signal: AbortSignal,
	) {
		const target = `/${source.path}/blobs/${blob.digest}`;
		const own = source.connections.map(
			(connection): Place => ({ connection, target, host: connection.endpoint.origin + connection.endpoint.prefix }),
		);
		const [first] = source.connections;
		// A foreign layer's addresses are the image's word: asked last, and without anybody's credentials.
		const foreign = (blob.urls ?? [])
			.filter((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))
			.flatMap((url) => (first === undefined ? [] : [{ connection: first, target: new URL(url), host: url }]));
		this.#places = [...own, ...foreign].filter(({ host }) => !source.distrusted.has(host));
	}

	/**
	 * Who may have given what is wrong of it. Of several the last is left out: it went on where the others had begun, and was not
	 * asked for the whole.
	 */
	get suspects(): readonly string[] {
		const givers = [...this.#givers];
		return givers.length > 1 ? givers.slice(0, -1) : givers;
	}

	/** Whether somebody is left besides those. */
	get hasOthers(): boolean {
		const { suspects } = this;
		return this.#places.some(({ host }) => !suspects.includes(host));
	}

	/** Waits for the first answer. @throws RemoteError, CancelledError */
	async begin(): Promise<void> {
		this.#answer = await this.#open();
	}

	async *bytes(): AsyncGenerator<Uint8Array> {
		const { sizeBytes } = this.blob;
		while (this.#offset < sizeBytes || this.#answer !== undefined) {
			try {
				const answer = this.#answer ?? (await this.#open());
				this.#answer = undefined;
				if (this.#places[0] !== undefined) this.#givers.add(this.#places[0].host);
				for await (const chunk of this.#rest(answer)) {
					this.#offset += chunk.length;
					this.#failures = 0;
					if (this.#offset > sizeBytes) throw this.#wrongSize(`more than ${sizeBytes} bytes`);
					yield chunk;
				}
				if (this.#offset < sizeBytes) throw new RemoteError("unexpected EOF", { status: 0, isTransient: true });
			} catch (error) {
				await this.#recover(error);
			}
		}
	}

	/** The first place that gives the rest. */
	async #open(): Promise<HttpAnswer> {
		for (;;) {
			const place = this.#places[0];
			if (place === undefined) throw new RemoteError("no host has it", { status: 404, isTransient: false });
			try {
				const range = this.#offset === 0 ? {} : { Range: `bytes=${this.#offset}-` };
				return await place.connection.request(
					{ method: "GET", target: place.target, headers: range, accepts: [200, 206] },
					this.signal,
				);
			} catch (error) {
				await this.#recover(error);
			}
		}
	}

	/** Waits, or goes on to the next place. @throws the error when there is none */
	async #recover(error: unknown): Promise<void> {
		if (error instanceof CancelledError || this.signal.aborted) throw error;
		this.#failures++;
		const retry = { ...this.source.retry, wasThere: this.#offset > 0 };
		const isFinal = retryDelayMs(error, this.#failures, retry) === undefined;
		if (isFinal && error instanceof RemoteError && this.#places.length > 1) {
			this.#places.shift();
			this.#failures = 0;
			return;
		}
		await beforeRetry(error, this.#failures, retry, this.signal);
	}

	/** A host that does not know ranges sends everything again. */
	async *#rest(answer: HttpAnswer): AsyncGenerator<Uint8Array> {
		const range = /^bytes (\d+)-/.exec(answer.header("content-range") ?? "");
		const start = answer.status === 206 ? Number(range?.[1] ?? 0) : 0;
		if (start > this.#offset) throw this.#wrongSize("another range than asked for");
		let skip = this.#offset - start;
		for await (const chunk of answer.bytes()) {
			if (skip < chunk.length) yield skip === 0 ? chunk : chunk.subarray(skip);
			skip = Math.max(0, skip - chunk.length);
		}
	}

	#wrongSize(what: string): RemoteError {
		return new RemoteError(`blob ${this.blob.digest}: the registry sends ${what}`, { status: 200, isTransient: false });
	}
}

interface Place {
	readonly connection: EndpointConnection;
	readonly target: string | URL;
	/** What it goes by in the log. */
	readonly host: string;
}
