/**
 * Blobs as files:
 *
 *   <root>/blobs/sha256/<hex>    immutable, complete, verified when written
 *   <root>/ingest/<random>       being written; removed at the next start when its writer died
 *
 * A blob's file and its directory entry are on the disk before `commit` returns, or with the next `flush` when that is asked for.
 */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync } from "node:fs";
import { type FileHandle, open, opendir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type Digest, digestHex, isDigest, sha256, sha256FromHex } from "../../base/digest.ts";
import { errnoCode, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import type { BlobInfo, ContentStore, ContentWriter, Spool } from "../../core/content/content-store.ts";
import { FsSpool } from "./fs-spool.ts";
import { ioError } from "./io-error.ts";

const DEFAULT_READ_LIMIT_BYTES = 8 << 20;
const STREAM_CHUNK_BYTES = 1 << 18;

export class FsContentStore implements ContentStore {
	readonly #blobs: string;
	readonly #ingest: string;

	/** @param root created when missing */
	constructor(root: string) {
		this.#blobs = join(root, "blobs", "sha256");
		this.#ingest = join(root, "ingest");
		mkdirSync(this.#blobs, { recursive: true, mode: 0o700 });
		mkdirSync(this.#ingest, { recursive: true, mode: 0o700 });
	}

	async has(digest: Digest): Promise<boolean> {
		try {
			await stat(this.#pathOf(digest));
			return true;
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return false;
			throw ioError("look for", digest, error);
		}
	}

	async info(digest: Digest): Promise<BlobInfo> {
		try {
			return { digest, sizeBytes: (await stat(this.#pathOf(digest))).size };
		} catch (error) {
			throw ioError("look for", digest, error);
		}
	}

	async read(digest: Digest, limitBytes = DEFAULT_READ_LIMIT_BYTES): Promise<Uint8Array> {
		const { sizeBytes } = await this.info(digest);
		if (sizeBytes > limitBytes) throw new SystemError(`blob ${digest} has ${sizeBytes} bytes, limit is ${limitBytes}`);
		let bytes: Uint8Array;
		try {
			bytes = await readFile(this.#pathOf(digest));
		} catch (error) {
			throw ioError("read", digest, error);
		}
		if (sha256(bytes) !== digest) throw new SystemError(`blob ${digest} is corrupt on disk`);
		return bytes;
	}

	stream(digest: Digest): Readable {
		return createReadStream(this.#pathOf(digest), { highWaterMark: STREAM_CHUNK_BYTES });
	}

	async put(bytes: Uint8Array): Promise<BlobInfo> {
		const digest = sha256(bytes);
		if (await this.has(digest)) return { digest, sizeBytes: bytes.length };
		const writer = await this.writer();
		try {
			await writer.write(bytes);
			return await writer.commit(digest);
		} catch (error) {
			await writer.abort();
			throw error;
		}
	}

	async writer(): Promise<ContentWriter> {
		const path = join(this.#ingest, randomBytes(12).toString("hex"));
		try {
			return new FsContentWriter(await open(path, "wx", 0o600), path, (digest) => this.#pathOf(digest));
		} catch (error) {
			throw ioError("write", path, error);
		}
	}

	async spool(): Promise<Spool> {
		const path = join(this.#ingest, randomBytes(12).toString("hex"));
		try {
			return new FsSpool(await open(path, "wx", 0o600), path);
		} catch (error) {
			throw ioError("write", path, error);
		}
	}

	async flush(digests: readonly Digest[]): Promise<void> {
		if (digests.length === 0) return;
		try {
			for (const digest of digests) await syncBlob(this.#pathOf(digest));
			await syncDirectory(this.#blobs);
		} catch (error) {
			throw ioError("store", digests.join(", "), error);
		}
	}

	async delete(digest: Digest): Promise<void> {
		await rm(this.#pathOf(digest), { force: true });
	}

	async *list(): AsyncGenerator<BlobInfo> {
		for await (const entry of await opendir(this.#blobs)) {
			const digest = `sha256:${entry.name}`;
			if (!isDigest(digest)) continue;
			try {
				yield await this.info(digest);
			} catch (error) {
				// Deleted since the directory was read.
				if (!(error instanceof NotFoundError)) throw error;
			}
		}
	}

	async cleanUp(): Promise<void> {
		for await (const entry of await opendir(this.#ingest)) await rm(join(this.#ingest, entry.name), { force: true });
	}

	#pathOf(digest: Digest): string {
		if (!digest.startsWith("sha256:")) throw new InvalidParameterError(`unsupported digest algorithm: ${digest}`);
		return join(this.#blobs, digestHex(digest));
	}
}

class FsContentWriter implements ContentWriter {
	readonly #hash: Hash = createHash("sha256");
	#offset = 0;
	#open = true;

	constructor(
		readonly file: FileHandle,
		readonly path: string,
		readonly blobPath: (digest: Digest) => string,
	) {}

	get offset(): number {
		return this.#offset;
	}

	async write(chunk: Uint8Array): Promise<void> {
		this.#hash.update(chunk);
		let written = 0;
		try {
			while (written < chunk.length)
				written += (await this.file.write(chunk, written, chunk.length - written)).bytesWritten;
		} catch (error) {
			throw ioError("write", this.path, error);
		}
		this.#offset += chunk.length;
	}

	async commit(expected?: Digest, { isDeferred = false } = {}): Promise<BlobInfo> {
		const digest = sha256FromHex(this.#hash.digest("hex"));
		if (expected !== undefined && digest !== expected) {
			await this.abort();
			throw new InvalidParameterError(`unexpected digest: expected ${expected}, got ${digest}`);
		}
		try {
			if (!isDeferred) await this.file.datasync();
			await this.file.close();
			this.#open = false;
			const target = this.blobPath(digest);
			await rename(this.path, target);
			if (!isDeferred) await syncDirectory(join(target, ".."));
		} catch (error) {
			await this.abort();
			throw ioError("store", digest, error);
		}
		return { digest, sizeBytes: this.#offset };
	}

	async abort(): Promise<void> {
		if (this.#open) await this.file.close();
		this.#open = false;
		await rm(this.path, { force: true });
	}
}

async function syncBlob(path: string): Promise<void> {
	try {
		await using file = await open(path, "r");
		await file.datasync();
	} catch (error) {
		if (errnoCode(error) !== "ENOENT") throw error;
	}
}

async function syncDirectory(path: string): Promise<void> {
	const directory = await open(path, "r");
	try {
		await directory.sync();
	} finally {
		await directory.close();
	}
}
