/** Requests to one bucket of S3-compatible storage: signed, bounded in time, asked again when that may help. */
import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import { delay, systemClock } from "../../base/clock.ts";
import { errorMessage, InvalidParameterError } from "../../base/errors.ts";
import { errorOf, S3Error } from "./s3-answer.ts";

export interface S3Place {
	readonly endpoint: string;
	readonly bucket: string;
	/** Begins every key; empty or with a slash at its end. */
	readonly prefix: string;
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	/** Belongs to keys that are good for some hours. */
	readonly sessionToken?: string | undefined;
	/** The bucket is the first label of the host's name, not of the path. */
	readonly isVirtualHost?: boolean | undefined;
	/** Readers reach the storage themselves and are sent there for blobs. */
	readonly redirects: boolean;
}

export interface S3Request {
	readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
	/** Undefined for the bucket itself. */
	readonly key?: string;
	readonly query?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array | string;
}

export interface S3Retry {
	readonly attempts: number;
	/** Before the second attempt, at the most; then twice as long each time. */
	readonly firstDelayMs: number;
	/** For an answer to begin, the request's body included, and for each piece of it. */
	readonly answerMs: number;
}

/** Some eight seconds of pauses in all; a part may come at 40 KB/s. */
const DEFAULT_RETRY: S3Retry = { attempts: 6, firstDelayMs: 300, answerMs: 120_000 };
const LONGEST_DELAY_MS = 5000;
const ERROR_BODY_LIMIT = 64 << 10;

export class S3Client {
	readonly #bucketUrl: string;
	readonly #keys: Pick<S3Place, "accessKeyId" | "secretAccessKey" | "region"> & { sessionToken?: string };
	/** The signing key of the day. */
	readonly #cache = new Map<string, ArrayBuffer>();

	/** @throws InvalidParameterError for an endpoint that is no address */
	constructor(
		{ endpoint, bucket, isVirtualHost, accessKeyId, secretAccessKey, region, sessionToken }: S3Place,
		private readonly retry: S3Retry = DEFAULT_RETRY,
	) {
		if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
			throw new InvalidParameterError(`${endpoint} is no address of S3-compatible storage`);
		const url = new URL(endpoint);
		if (isVirtualHost === true) url.hostname = `${bucket}.${url.hostname}`;
		else url.pathname = `${url.pathname.replace(/\/+$/, "")}/${encodeURIComponent(bucket)}`;
		this.#bucketUrl = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
		this.#keys = { accessKeyId, secretAccessKey, region, ...(sessionToken === undefined ? {} : { sessionToken }) };
	}

	/**
	 * @param read takes what it needs of the answer; when that fails, all is asked again
	 * @throws S3Error what the last attempt said
	 */
	async ask<T>(request: S3Request, read: (answer: Response) => Promise<T>): Promise<T> {
		for (let attempt = 1; ; attempt++) {
			try {
				return await read(await this.#send(request));
			} catch (cause) {
				const error = cause instanceof S3Error ? cause : new S3Error(errorMessage(cause), 0, "", { cause });
				if (!error.isTransient || attempt === this.retry.attempts) throw error;
				await this.pause(attempt);
			}
		}
	}

	/** An answer's body. Leaving the loop early closes the connection. @throws S3Error when nothing comes any more */
	async *pieces({ body }: Response): AsyncGenerator<Uint8Array> {
		const reader = body?.getReader();
		let isWhole = false;
		try {
			while (reader !== undefined) {
				const { promise: stalled, reject } = Promise.withResolvers<never>();
				const stop = () => reject(new S3Error("the storage does not send any more", 0, ""));
				const timer = setTimeout(stop, this.retry.answerMs);
				const { done, value } = await Promise.race([reader.read(), stalled]).finally(() => clearTimeout(timer));
				if (done) break;
				yield value;
			}
			isWhole = true;
		} finally {
			// A connection that broke cannot be closed any more.
			if (!isWhole) reader?.cancel().catch(() => {});
		}
	}

	async bytes(answer: Response): Promise<Buffer<ArrayBuffer>> {
		return Buffer.concat(await Array.fromAsync(this.pieces(answer)));
	}

	async text(answer: Response): Promise<string> {
		return (await this.bytes(answer)).toString();
	}

	/** Before another attempt: longer each time, and not at the same moment as everybody else. */
	pause(failures: number): Promise<void> {
		const limitMs = Math.min(this.retry.firstDelayMs * 2 ** (failures - 1), LONGEST_DELAY_MS);
		return delay(systemClock, limitMs * (0.5 + Math.random() / 2));
	}

	/** An address at which anybody may read an object for a while. */
	async address(key: string, seconds: number): Promise<string> {
		const query = { "X-Amz-Expires": String(seconds), "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD" };
		const signed = await this.#signer({ url: this.#url(key, query), signQuery: true }).sign();
		return signed.url.href;
	}

	/** @throws S3Error for every answer but success */
	async #send({ method, key, query, headers = {}, body }: S3Request): Promise<Response> {
		const hash = createHash("sha256")
			.update(body ?? "")
			.digest("hex");
		const signed = await this.#signer({
			method,
			url: this.#url(key, query),
			headers: { ...headers, "X-Amz-Content-Sha256": hash },
		}).sign();
		const controller = new AbortController();
		const timer = setTimeout(() => controller.abort(new Error("the storage does not answer")), this.retry.answerMs);
		try {
			const answer = await fetch(signed.url, {
				method,
				headers: signed.headers,
				redirect: "manual",
				decompress: false,
				signal: controller.signal,
				...(body === undefined ? {} : { body }),
			});
			if (answer.ok) return answer;
			throw errorOf(answer.status, (await this.text(answer)).slice(0, ERROR_BODY_LIMIT));
		} finally {
			clearTimeout(timer);
		}
	}

	#signer(options: Pick<ConstructorParameters<typeof AwsV4Signer>[0], "method" | "url" | "headers" | "signQuery">) {
		return new AwsV4Signer({ ...options, ...this.#keys, service: "s3", cache: this.#cache });
	}

	#url(key: string | undefined, query: Readonly<Record<string, string>> = {}): string {
		const path = key === undefined ? "" : key.split("/").map(encoded).join("/");
		const search = Object.entries(query).map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
		return `${this.#bucketUrl}/${path}${search.length === 0 ? "" : `?${search.join("&")}`}`;
	}
}

/** As signatures count it: all but letters, digits and `-._~`. */
function encoded(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
