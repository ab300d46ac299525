import { type Digest, isDigest } from "../base/digest.ts";
import { NotFoundError } from "../base/errors.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import { pathFor } from "../core/registry/paths.ts";
import { registryError } from "../core/registry/registry-error.ts";
import type { ByteRange, RegistryStorage } from "../core/registry/storage.ts";

export interface BlobStat {
	readonly digest: Digest;
	readonly sizeBytes: number;
}

/**
 * Blobs as repositories see them: bytes are kept once, and a repository serves those that it has a link to.
 *
 * Against the garbage collector: a link's time is the last time a push relied on it, and whoever relies on one renews it under
 * the same lock under which the collector looks at the time and deletes.
 */
export class BlobService {
	readonly #locks = new KeyedMutex();
	/** What came to be linked or relied on while a collection goes on. */
	#spared: Set<Digest> | undefined;

	constructor(private readonly storage: RegistryStorage) {}

	/** @throws RegistryError BLOB_UNKNOWN when the repository does not serve it */
	async stat(name: string, digest: Digest): Promise<BlobStat> {
		try {
			await this.storage.stat(pathFor({ kind: "link", name, digest }));
			const { sizeBytes } = await this.storage.stat(pathFor({ kind: "blob", digest }));
			return { digest, sizeBytes };
		} catch (error) {
			throw unknownBlob(error, digest);
		}
	}

	/** The same, and no collection removes the blob for a grace period from now. */
	async rely(name: string, digest: Digest): Promise<BlobStat> {
		return await this.#locks.run(digest, async () => {
			const found = await this.stat(name, digest);
			await this.storage.touch(pathFor({ kind: "link", name, digest }));
			this.#spared?.add(digest);
			return found;
		});
	}

	/** Where readers may fetch the bytes themselves. */
	async addressOf(digest: Digest): Promise<string | undefined> {
		return await this.storage.addressOf?.(pathFor({ kind: "blob", digest }));
	}

	async open(digest: Digest, range?: ByteRange): Promise<Blob | ReadableStream<Uint8Array>> {
		try {
			return await this.storage.open(pathFor({ kind: "blob", digest }), range);
		} catch (error) {
			throw unknownBlob(error, digest);
		}
	}

	/** Serves a blob of another repository here too. @returns undefined when that one does not have it */
	async mount(from: string, to: string, digest: Digest): Promise<BlobStat | undefined> {
		return await this.#locks.run(digest, async () => {
			try {
				const found = await this.stat(from, digest);
				await this.#link(to, digest);
				return found;
			} catch (error) {
				if (isUnknownBlob(error)) return undefined;
				throw error;
			}
		});
	}

	/** Serves bytes that are here for other repositories. @returns undefined when they are not here */
	async linkExisting(name: string, digest: Digest): Promise<BlobStat | undefined> {
		return await this.#locks.run(digest, async () => {
			try {
				const { sizeBytes } = await this.storage.stat(pathFor({ kind: "blob", digest }));
				await this.#link(name, digest);
				return { digest, sizeBytes };
			} catch (error) {
				if (error instanceof NotFoundError) return undefined;
				throw error;
			}
		});
	}

	/** Makes the complete, verified file at `path` the blob of this digest, served by the repository. */
	async adopt(name: string, digest: Digest, path: string): Promise<void> {
		await this.#locks.run(digest, async () => {
			await this.storage.move(path, pathFor({ kind: "blob", digest }));
			await this.#link(name, digest);
		});
	}

	/** Stores a small blob that no link is needed for: a manifest's bytes. */
	async write(digest: Digest, bytes: Uint8Array): Promise<void> {
		await this.#locks.run(digest, () => this.storage.write(pathFor({ kind: "blob", digest }), bytes));
	}

	/** The repository serves it no longer; the bytes go with the next collection. @throws RegistryError BLOB_UNKNOWN */
	async unlink(name: string, digest: Digest): Promise<void> {
		await this.#locks.run(digest, async () => {
			await this.stat(name, digest);
			await this.storage.delete(pathFor({ kind: "link", name, digest }));
		});
	}

	/**
	 * From now on `deleteStale` spares what repositories come to serve, because the collector may have looked at them before. One
	 * collection at a time.
	 */
	guardCollection(): Disposable {
		this.#spared = new Set();
		return {
			[Symbol.dispose]: () => {
				this.#spared = undefined;
			},
		};
	}

	/** Deletes a link or a blob's bytes when it is older than `cutoffMs`. @returns the bytes freed, undefined when it stays */
	async deleteStale(path: string, digest: Digest, cutoffMs: number): Promise<number | undefined> {
		return await this.#locks.run(digest, async () => {
			try {
				if (this.#spared?.has(digest) === true) return undefined;
				const { modifiedMs, sizeBytes } = await this.storage.stat(path);
				if (modifiedMs >= cutoffMs) return undefined;
				await this.storage.delete(path);
				return sizeBytes;
			} catch (error) {
				if (error instanceof NotFoundError) return undefined;
				throw error;
			}
		});
	}

	/** Digests of all links of a repository. */
	async *links(name: string): AsyncGenerator<Digest> {
		yield* listDigests(this.storage, pathFor({ kind: "links-root", name }));
	}

	async #link(name: string, digest: Digest): Promise<void> {
		this.#spared?.add(digest);
		await this.storage.write(pathFor({ kind: "link", name, digest }), new Uint8Array());
	}
}

/** The digests of a directory `<algorithm>/<hex>`. */
export async function* listDigests(storage: RegistryStorage, root: string): AsyncGenerator<Digest> {
	for (const algorithm of await storage.list(root))
		for (const hex of await storage.list(`${root}/${algorithm}`)) {
			const digest = `${algorithm}:${hex}`;
			if (isDigest(digest)) yield digest;
		}
}

function unknownBlob(error: unknown, digest: Digest): unknown {
	return error instanceof NotFoundError
		? registryError("BLOB_UNKNOWN", { digest }, undefined, { cause: error })
		: error;
}

function isUnknownBlob(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "BLOB_UNKNOWN";
}
