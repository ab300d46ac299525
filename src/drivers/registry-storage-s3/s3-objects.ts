import { SystemError } from "../../base/errors.ts";
import type { ByteRange, FileInfo } from "../../core/registry/storage.ts";
import { type BegunObject, begunPage, checkCompleted, listPage, S3Error, uploadIdOf } from "./s3-answer.ts";
import type { S3Client } from "./s3-client.ts";

/** How often a stream is taken up again without having got a byte. */
const STANDSTILLS = 4;

/** Objects of a bucket, by their keys. All methods throw S3Error. */
export class S3Objects {
	/** So that the connection can be used again. */
	readonly #drain = async (answer: Response): Promise<void> => void (await this.client.bytes(answer));

	constructor(readonly client: S3Client) {}

	async stat(key: string): Promise<FileInfo> {
		try {
			return await this.client.ask({ method: "HEAD", key }, async ({ headers }) => ({
				sizeBytes: Number(headers.get("content-length") ?? 0),
				modifiedMs: Date.parse(headers.get("last-modified") ?? "") || 0,
				isDirectory: false,
			}));
		} catch (error) {
			if (!(error instanceof S3Error) || error.isMissing || error.isTransient) throw error;
			// A refused look does not say why.
			await this.client.ask(rangeRequest(key, 0, 1), this.#drain);
			throw error;
		}
	}

	/** @throws SystemError when larger than `limitBytes` */
	async read(key: string, limitBytes: number): Promise<Uint8Array> {
		const bytes = await this.client.ask({ method: "GET", key }, async (answer) => {
			const sizeBytes = Number(answer.headers.get("content-length") ?? 0);
			if (sizeBytes > limitBytes) {
				await answer.body?.cancel();
				return sizeBytes;
			}
			return whole(await this.client.bytes(answer), sizeBytes);
		});
		if (typeof bytes === "number") throw new SystemError(`${key} has ${bytes} bytes, limit is ${limitBytes}`);
		return bytes;
	}

	/** What is not longer than `wholeBytes` comes whole; a stream is taken up again where it breaks. */
	async open(
		key: string,
		range: ByteRange | undefined,
		wholeBytes: number,
	): Promise<Blob | ReadableStream<Uint8Array>> {
		const request = range === undefined ? ({ method: "GET", key } as const) : rangeRequest(key, range.start, range.end);
		const { bytes, rest, sizeBytes } = await this.client.ask(request, async (answer) => {
			const sizeBytes = lengthOf(answer, range);
			return sizeBytes > wholeBytes
				? { rest: answer, sizeBytes }
				: { bytes: whole(await this.client.bytes(answer), sizeBytes), sizeBytes };
		});
		if (rest === undefined) return new Blob([bytes]);
		const start = range?.start ?? 0;
		return streamOf(this.#bytes(key, { start, end: start + sizeBytes }, rest));
	}

	async put(key: string, body: Uint8Array): Promise<void> {
		await this.client.ask({ method: "PUT", key, body }, this.#drain);
	}

	/** One that is not there is no error. */
	async delete(key: string): Promise<void> {
		try {
			await this.client.ask({ method: "DELETE", key }, this.#drain);
		} catch (error) {
			if (!(error instanceof S3Error) || !error.isMissing) throw error;
		}
	}

	/** Page by page, in the order of the keys: what comes and goes meanwhile is in it or not. */
	async *list(prefix: string, options: { readonly delimiter?: string; readonly limit?: number } = {}) {
		let next: string | undefined;
		do {
			const query = {
				"list-type": "2",
				prefix,
				...(options.delimiter === undefined ? {} : { delimiter: options.delimiter }),
				...(options.limit === undefined ? {} : { "max-keys": String(options.limit) }),
				...(next === undefined ? {} : { "continuation-token": next }),
			};
			const page = await this.client.ask({ method: "GET", query }, async (answer) =>
				listPage(await this.client.text(answer)),
			);
			yield page;
			next = page.next;
		} while (next !== undefined);
	}

	/** Begins an object of several parts; it shows with `complete`. @returns its upload ID */
	async begin(key: string): Promise<string> {
		const request = { method: "POST", key, query: { uploads: "" } } as const;
		return await this.client.ask(request, async (answer) => uploadIdOf(await this.client.text(answer)));
	}

	/** @param number from 1 @returns the part's tag */
	async putPart(key: string, uploadId: string, number: number, body: Uint8Array): Promise<string> {
		const request = { method: "PUT", key, query: { partNumber: String(number), uploadId }, body } as const;
		return await this.client.ask(request, async (answer) => {
			await this.#drain(answer);
			const tag = answer.headers.get("etag");
			if (tag === null) throw new S3Error("the storage gives a part no tag", answer.status, "");
			return tag;
		});
	}

	/** @param tags of all parts, in order */
	async complete(key: string, uploadId: string, tags: readonly string[], sizeBytes: number): Promise<void> {
		const parts = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
		const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
		try {
			const request = { method: "POST", key, query: { uploadId }, body } as const;
			await this.client.ask(request, async (answer) => checkCompleted(await this.client.text(answer)));
		} catch (error) {
			// It was completed before, and the answer to that got lost.
			const isGone = error instanceof S3Error && error.code === "NoSuchUpload";
			if (!isGone || (await this.stat(key)).sizeBytes !== sizeBytes) throw error;
		}
	}

	/** Idempotent. */
	async abort(key: string, uploadId: string): Promise<void> {
		try {
			await this.client.ask({ method: "DELETE", key, query: { uploadId } }, this.#drain);
		} catch (error) {
			if (!(error instanceof S3Error) || error.status !== 404) throw error;
		}
	}

	/** All that was begun, by whomever, and neither completed nor aborted. Some servers tell of none. */
	async *begun(prefix: string): AsyncGenerator<BegunObject> {
		let next: { readonly key: string; readonly uploadId: string } | undefined;
		do {
			const markers = next === undefined ? {} : { "key-marker": next.key, "upload-id-marker": next.uploadId };
			const query = { uploads: "", prefix, ...markers };
			const page = await this.client.ask({ method: "GET", query }, async (answer) =>
				begunPage(await this.client.text(answer)),
			);
			yield* page.begun;
			next = page.next;
		} while (next !== undefined);
	}

	async *#bytes(key: string, { start, end }: ByteRange, first: Response): AsyncGenerator<Uint8Array> {
		let answer = first;
		let at = start;
		for (let standstills = 0; ; ) {
			try {
				for await (const piece of this.client.pieces(answer)) {
					at += piece.length;
					standstills = 0;
					yield piece;
				}
				if (at === end) return;
				throw new S3Error(`the storage gives ${at - start} bytes of ${end - start}`, 0, "");
			} catch (error) {
				if (at >= end || ++standstills > STANDSTILLS) throw error;
				await this.client.pause(standstills);
			}
			answer = await this.client.ask(rangeRequest(key, at, end), async (again) => {
				lengthOf(again, { start: at, end });
				return again;
			});
		}
	}
}

function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
	return new ReadableStream<Uint8Array>({
		async pull(controller) {
			const { done, value } = await pieces.next();
			if (done === true) controller.close();
			else controller.enqueue(value);
		},
		async cancel() {
			await pieces.return(undefined);
		},
	});
}

function rangeRequest(key: string, start: number, end: number) {
	return { method: "GET", key, headers: { Range: `bytes=${start}-${end - 1}` } } as const;
}

/** @throws S3Error for another part than was asked for */
function lengthOf({ status, headers }: Response, range: ByteRange | undefined): number {
	const length = headers.get("content-length");
	const isRight =
		length !== null && (range === undefined || (status === 206 && Number(length) <= range.end - range.start));
	if (!isRight) throw new S3Error("the storage gives another part than was asked for", status, "");
	return Number(length);
}

/** A body that ends early is asked for again. */
function whole(bytes: Buffer<ArrayBuffer>, sizeBytes: number): Buffer<ArrayBuffer> {
	if (bytes.length !== sizeBytes) throw new S3Error(`the storage gives ${bytes.length} bytes of ${sizeBytes}`, 0, "");
	return bytes;
}
