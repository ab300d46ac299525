import { once } from "node:events";
import { createZstdCompress, type ZstdCompress } from "node:zlib";
import type { Digest } from "../../base/digest.ts";
import type { ContentStore, ContentWriter } from "../../core/content/content-store.ts";

/** A re-assembly record on its way into the content store, compressed as it is written. */
export class AssemblyBlob {
	readonly #done: Promise<void>;
	#failed: unknown;

	static async open(content: ContentStore): Promise<AssemblyBlob> {
		return new AssemblyBlob(await content.writer());
	}

	private constructor(
		readonly writer: ContentWriter,
		readonly encoder: ZstdCompress = createZstdCompress(),
	) {
		this.#done = this.#pump().catch((error: unknown) => {
			this.#failed = error;
			this.encoder.destroy();
		});
	}

	async write(bytes: Buffer): Promise<void> {
		if (this.#failed !== undefined) throw this.#failed;
		if (bytes.length === 0 || this.encoder.write(bytes)) return;
		await Promise.race([once(this.encoder, "drain"), this.#done]);
	}

	async commit(last: Buffer): Promise<Digest> {
		await this.write(last);
		this.encoder.end();
		await this.#done;
		if (this.#failed !== undefined) throw this.#failed;
		return (await this.writer.commit(undefined, { isDeferred: true })).digest;
	}

	/** Idempotent; a no-op after commit but for the encoder. */
	async abort(): Promise<void> {
		this.encoder.destroy();
		await this.#done;
		await this.writer.abort();
	}

	async #pump(): Promise<void> {
		for await (const chunk of this.encoder) await this.writer.write(chunk);
	}
}
