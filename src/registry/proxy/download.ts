import type { Digest } from "../../base/digest.ts";
import { errorKind, NotFoundError } from "../../base/errors.ts";
import { pathFor } from "../../core/registry/paths.ts";
import type { ByteRange } from "../../core/registry/storage.ts";
import type { Upstream } from "../../core/registry/upstream.ts";
import type { Registry } from "../registry.ts";
import type { ArrivingBlob } from "./pull-through.ts";

const ATTEMPT_LIMIT = 5;
const FOLLOW_BYTES = 1 << 20;

type Deps = Pick<Registry, "storage" | "blobs" | "uploads">;

interface Wanted {
	readonly name: string;
	readonly digest: Digest;
	readonly sizeBytes: number;
}

/**
 * A blob on its way from the other registry. It is written as an upload is, and any number of readers follow the file as it grows,
 * each at its own speed. The last byte is given out only when the digest is right: nobody gets a wrong blob that looks complete.
 */
export class Download {
	#state: "running" | "done" | "failed" = "running";
	#failure: unknown;
	#wake = Promise.withResolvers<void>();
	/** Resolves with the failure, undefined when all went well. */
	readonly ended: Promise<unknown>;

	private constructor(
		private readonly deps: Deps,
		private readonly upstream: Upstream,
		private readonly wanted: Wanted,
		private readonly uploadId: string,
		signal: AbortSignal,
	) {
		this.ended = this.#run(signal);
	}

	static async start(deps: Deps, upstream: Upstream, wanted: Wanted, signal: AbortSignal): Promise<Download> {
		return new Download(deps, upstream, wanted, await deps.uploads.start(wanted.name), signal);
	}

	get blob(): ArrivingBlob {
		const { digest, sizeBytes } = this.wanted;
		return { digest, sizeBytes, open: async (range) => streamOf(this.#follow(range)) };
	}

	async #run(signal: AbortSignal): Promise<unknown> {
		const { name, digest, sizeBytes } = this.wanted;
		try {
			const body = this.#pieces(signal);
			await this.deps.uploads.finish(name, this.uploadId, digest, { body, lengthBytes: sizeBytes });
			this.#state = "done";
		} catch (error) {
			this.#state = "failed";
			this.#failure = error;
			// Gone already when the digest was wrong.
			await this.deps.uploads.cancel(name, this.uploadId).catch(() => undefined);
		}
		this.#wakeFollowers();
		return this.#failure;
	}

	/** The blob's bytes; goes on where a broken transfer ended. */
	async *#pieces(signal: AbortSignal): AsyncGenerator<Uint8Array> {
		const { name, digest, sizeBytes } = this.wanted;
		let offset = 0;
		for (let attempt = 1; offset < sizeBytes; attempt++) {
			const before = offset;
			try {
				const { stream } = await this.upstream.blob(name, digest, offset, signal);
				for await (const piece of stream) {
					offset += piece.length;
					if (offset > sizeBytes) throw new NotFoundError("the other registry sends more than it said");
					yield piece;
					this.#wakeFollowers();
				}
			} catch (error) {
				if (signal.aborted || errorKind(error) === "not-found" || attempt >= ATTEMPT_LIMIT) throw error;
			}
			// Bytes came: the next break counts as the first again.
			if (offset > before) attempt = 1;
			else if (attempt >= ATTEMPT_LIMIT) return;
		}
	}

	async *#follow(range: ByteRange): AsyncGenerator<Uint8Array> {
		const { digest, sizeBytes } = this.wanted;
		const { storage, blobs, uploads } = this.deps;
		let { start } = range;
		while (start < range.end) {
			const wake = this.#wake.promise;
			if (this.#state === "failed") throw this.#failure;
			const isDone = this.#state === "done";
			const known = isDone ? sizeBytes : Math.min(sizeBytes - 1, await this.#writtenBytes());
			const end = Math.min(range.end, known, start + FOLLOW_BYTES);
			if (end <= start) {
				if (this.#state === "running") await wake;
				continue;
			}
			try {
				const part = { start, end };
				const body = isDone
					? await blobs.open(digest, part)
					: await storage.open(uploads.dataPath(this.uploadId), part);
				const bytes = new Uint8Array(await new Response(body).arrayBuffer());
				if (bytes.length !== end - start) continue;
				yield bytes;
				start = end;
			} catch (error) {
				// Moved to its final place in between: the next round looks there.
				if (!isMoved(error) || isDone) throw error;
				if (this.#state === "running") await wake;
			}
		}
	}

	async #writtenBytes(): Promise<number> {
		if (!this.deps.storage.readsUnfinished) return 0;
		try {
			return (await this.deps.storage.stat(pathFor({ kind: "upload-data", id: this.uploadId }))).sizeBytes;
		} catch (error) {
			if (error instanceof NotFoundError) return 0;
			throw error;
		}
	}

	#wakeFollowers(): void {
		const { resolve } = this.#wake;
		this.#wake = Promise.withResolvers<void>();
		resolve();
	}
}

function isMoved(error: unknown): boolean {
	return error instanceof NotFoundError || (error instanceof Error && "code" in error && error.code === "ENOENT");
}

/** Pulls one piece at a time: a slow reader holds nothing in memory. */
function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
	return new ReadableStream<Uint8Array>(
		{
			async pull(controller) {
				const next = await pieces.next();
				if (next.done === true) controller.close();
				else controller.enqueue(next.value);
			},
			async cancel() {
				await pieces.return(undefined);
			},
		},
		{ highWaterMark: 0 },
	);
}
