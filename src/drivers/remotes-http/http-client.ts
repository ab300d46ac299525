/**
 * One HTTP exchange with a registry: no redirect is followed, no status is judged, no body is decompressed here. Times are bounded:
 * a peer that says nothing, or next to nothing, fails as a lost connection does.
 */
import { CancelledError } from "../../base/errors.ts";
import { type ProxySettings, proxyFor } from "../../core/remotes/proxy.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { AnswerTimeout, StallError, transportError } from "./transport-error.ts";

export interface TlsSettings {
	readonly skipsVerification: boolean;
	readonly authorities: readonly string[];
	readonly certificate: string | undefined;
	readonly key: string | undefined;
}

export interface HttpRequest {
	readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
	readonly url: URL;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array | AsyncIterable<Uint8Array> | string | undefined;
	readonly tls: TlsSettings;
}

export interface HttpTimeouts {
	/** From the request to the answer's head. An upload's body counts from its end. */
	readonly answerMs: number;
	/** In which at least `STALL_BYTES` must come. */
	readonly stallMs: number;
}

export const DEFAULT_TIMEOUTS: HttpTimeouts = { answerMs: 30_000, stallMs: 30_000 };
const STALL_BYTES = 8 << 10;

export class HttpAnswer {
	constructor(
		private readonly request: HttpRequest,
		private readonly response: Response,
		private readonly stallMs: number,
		private readonly controller: AbortController,
		private readonly onEnd: () => void,
	) {}

	get url(): URL {
		return this.request.url;
	}

	get status(): number {
		return this.response.status;
	}

	header(name: string): string | null {
		return this.response.headers.get(name);
	}

	/** The body as it comes. Leaving the loop early closes the connection. */
	async *bytes(): AsyncGenerator<Uint8Array> {
		const reader = this.response.body?.getReader();
		const pace = new Pace(this.stallMs, () => this.controller.abort(new StallError()));
		let isWhole = false;
		try {
			while (reader !== undefined) {
				const { done, value } = await pace.waited(reader.read());
				if (done) break;
				pace.received(value.length);
				yield value;
			}
			isWhole = true;
		} catch (cause) {
			throw transportError(this.request, this.controller.signal.reason ?? cause);
		} finally {
			pace.stop();
			if (!isWhole) this.controller.abort();
			this.onEnd();
		}
	}

	/** At most `limitBytes`; what is longer is cut off. */
	async text(limitBytes: number): Promise<string> {
		return Buffer.from(await this.take(limitBytes)).toString("utf8");
	}

	/** At most `limitBytes` + 1 bytes, so that the caller sees when there are more. */
	async take(limitBytes: number): Promise<Uint8Array> {
		const parts: Uint8Array[] = [];
		let size = 0;
		for await (const part of this.bytes()) {
			parts.push(part);
			size += part.length;
			if (size > limitBytes) break;
		}
		return Buffer.concat(parts).subarray(0, limitBytes + 1);
	}

	/** Reads a short body to its end, so that the connection can be used again; gives up on a long one. */
	async discard(): Promise<void> {
		let size = 0;
		try {
			for await (const part of this.bytes()) {
				size += part.length;
				if (size > STALL_BYTES) return;
			}
		} catch (error) {
			// Nobody wanted it: only the connection is lost.
			if (!(error instanceof RemoteError)) throw error;
		}
	}
}

/** Counts the time spent waiting for the peer, not the time the reader takes. */
class Pace {
	#leftMs: number;
	#bytes = 0;
	#timer: Timer | undefined;

	constructor(
		readonly limitMs: number,
		readonly onStall: () => void,
	) {
		this.#leftMs = limitMs;
	}

	async waited<T>(work: Promise<T>): Promise<T> {
		const start = performance.now();
		this.#timer = setTimeout(this.onStall, this.#leftMs);
		try {
			return await work;
		} finally {
			clearTimeout(this.#timer);
			this.#leftMs = Math.max(1, this.#leftMs - (performance.now() - start));
		}
	}

	received(bytes: number): void {
		this.#bytes += bytes;
		if (this.#bytes < STALL_BYTES) return;
		this.#bytes = 0;
		this.#leftMs = this.limitMs;
	}

	stop(): void {
		clearTimeout(this.#timer);
	}
}

type FetchOptions = BunFetchRequestInit & { decompress: boolean; timeout: boolean };

export class HttpClient {
	constructor(
		readonly userAgent: string,
		readonly proxies: ProxySettings,
		readonly timeouts: HttpTimeouts = DEFAULT_TIMEOUTS,
	) {}

	/** @throws RemoteError (transient) when there is no answer, CancelledError */
	async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
		if (signal.aborted) throw new CancelledError();
		const controller = new AbortController();
		const cancel = () => controller.abort(new CancelledError());
		signal.addEventListener("abort", cancel, { once: true });
		const release = () => signal.removeEventListener("abort", cancel);
		const timeout = new AnswerTimer(this.timeouts.answerMs, () => controller.abort(new AnswerTimeout()));
		const { body } = request;
		const isStream = body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
		if (!isStream) timeout.start();
		let sourceError: unknown;
		const source = !isStream ? body : noted(body, timeout, (error) => (sourceError = error));
		try {
			const response = await fetch(request.url, this.#options(request, source, controller.signal));
			timeout.stop();
			return new HttpAnswer(request, response, this.timeouts.stallMs, controller, release);
		} catch (cause) {
			timeout.stop();
			release();
			throw sourceError ?? transportError(request, controller.signal.reason ?? cause);
		}
	}

	#options({ method, url, headers, tls }: HttpRequest, body: HttpRequest["body"], signal: AbortSignal): FetchOptions {
		const proxy = proxyFor(url, this.proxies);
		return {
			method,
			headers: { "User-Agent": this.userAgent, "Accept-Encoding": "identity", ...headers },
			redirect: "manual",
			decompress: false,
			timeout: false,
			signal,
			...(body === undefined ? {} : { body: body as NonNullable<BunFetchRequestInit["body"]> }),
			...(proxy === undefined ? {} : { proxy }),
			...(url.protocol === "https:" ? { tls: tlsOptions(tls) } : {}),
		};
	}
}

function tlsOptions(tls: TlsSettings): NonNullable<BunFetchRequestInit["tls"]> {
	return {
		rejectUnauthorized: !tls.skipsVerification,
		...(tls.authorities.length === 0 ? {} : { ca: [...tls.authorities] }),
		...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
		...(tls.key === undefined ? {} : { key: tls.key }),
	};
}

class AnswerTimer {
	#timer: Timer | undefined;

	constructor(
		readonly limitMs: number,
		readonly onTimeout: () => void,
	) {}

	/** From now on; again from the start when it runs already. */
	start(): void {
		this.stop();
		this.#timer = setTimeout(this.onTimeout, this.limitMs);
	}

	stop(): void {
		clearTimeout(this.#timer);
	}
}

/** While the body's source works, the peer is not to blame; while a piece waits to be taken, it is. */
async function* noted(
	body: AsyncIterable<Uint8Array>,
	timer: AnswerTimer,
	onError: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
	try {
		for await (const chunk of body) {
			timer.start();
			yield chunk;
			timer.stop();
		}
		timer.start();
	} catch (error) {
		onError(error);
		throw error;
	}
}
