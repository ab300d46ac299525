import { createHash, type Hash } from "node:crypto";
import { createReadStream, writeSync } from "node:fs";
import { type FileHandle, readFile, rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { sha256FromHex } from "../../base/digest.ts";
import { SystemError } from "../../base/errors.ts";
import type { BlobInfo, Spool } from "../../core/content/content-store.ts";
import { ioError } from "./io-error.ts";

const STREAM_CHUNK_BYTES = 1 << 20;

export class FsSpool implements Spool {
	readonly #hash: Hash = createHash("sha256");
	#sizeBytes = 0;
	#open = true;

	constructor(
		readonly file: FileHandle,
		readonly path: string,
	) {}

	async write(chunk: Uint8Array): Promise<void> {
		this.#hash.update(chunk);
		try {
			// Into the page cache: quicker than the way to a pool thread and back.
			for (let done = 0; done < chunk.length; ) done += writeSync(this.file.fd, chunk, done, chunk.length - done);
		} catch (error) {
			throw ioError("write", this.path, error);
		}
		this.#sizeBytes += chunk.length;
	}

	async finish(): Promise<BlobInfo> {
		await this.#close();
		return { digest: sha256FromHex(this.#hash.digest("hex")), sizeBytes: this.#sizeBytes };
	}

	stream(): Readable {
		return createReadStream(this.path, { highWaterMark: STREAM_CHUNK_BYTES });
	}

	async read(limitBytes: number): Promise<Uint8Array> {
		if (this.#sizeBytes > limitBytes)
			throw new SystemError(`${this.#sizeBytes} bytes are too many, limit is ${limitBytes}`);
		try {
			return await readFile(this.path);
		} catch (error) {
			throw ioError("read", this.path, error);
		}
	}

	async dispose(): Promise<void> {
		await this.#close();
		await rm(this.path, { force: true });
	}

	async #close(): Promise<void> {
		if (!this.#open) return;
		this.#open = false;
		await this.file.close();
	}
}
