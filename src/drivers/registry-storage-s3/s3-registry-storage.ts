/**
 * A registry's files as objects of S3-compatible storage, the path being the key. What is appended to lies in a spool on this machine
 * (another storage) until it is moved to its final place: objects cannot grow, and a blob that is sent once, whole and verified, is
 * the cheapest way there. So an upload is finished by the server that began it; everything else is shared by all servers of a bucket.
 */
import { errorMessage, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import { Pool } from "../../base/pool.ts";
import type { AppendWriter, ByteRange, FileInfo, RegistryStorage } from "../../core/registry/storage.ts";
import { S3Error } from "./s3-answer.ts";
import { S3Client, type S3Place, type S3Retry } from "./s3-client.ts";
import { S3Objects } from "./s3-objects.ts";
import { PART_BYTES, S3Transfers } from "./s3-transfers.ts";

const TOUCH_LIMIT_BYTES = 8 << 20;
/** Up to here an object is read at once, which lets the answer say its length. */
const WHOLE_BYTES = 256 << 10;
/** A blob of many gigabytes only needs to have been begun by then. */
const ADDRESS_SECONDS = 1200;
const DELETIONS_AT_ONCE = 16;
/** Uploads and what describes them, small files too. */
const SPOOLED_ROOT = "uploads/";

export interface S3Options {
	readonly retry?: S3Retry;
	/** Called now and then while much is sent. */
	readonly relieveMemory?: () => void;
}

export class S3RegistryStorage implements RegistryStorage {
	readonly readsUnfinished: boolean;
	readonly #client: S3Client;
	readonly #objects: S3Objects;
	readonly #transfers: S3Transfers;
	readonly #prefix: string;
	readonly #redirects: boolean;
	readonly #deletions = new Pool(DELETIONS_AT_ONCE);

	/** @throws InvalidParameterError for a place that cannot be */
	constructor(
		place: S3Place,
		/** Storage on this machine that owns its place; closed with this one. */
		private readonly spool: RegistryStorage,
		options: S3Options = {},
	) {
		if (place.prefix !== "" && !(place.prefix.endsWith("/") && isPlain(place.prefix.slice(0, -1))))
			throw new InvalidParameterError(`keys cannot have the prefix ${JSON.stringify(place.prefix)}`);
		this.#client = new S3Client(place, options.retry);
		this.#objects = new S3Objects(this.#client);
		this.#transfers = new S3Transfers(this.#objects, spool, options.relieveMemory);
		this.#prefix = place.prefix;
		this.#redirects = place.redirects;
		this.readsUnfinished = spool.readsUnfinished;
	}

	/** Gives up what an earlier process had begun to send. To be called before the first use. */
	async cleanUp(): Promise<void> {
		await this.#transfers.cleanUp();
	}

	async abortUnfinished(cutoffMs: number): Promise<number> {
		return await this.#translate("clean up", "transfers", () => this.#transfers.abortOlder(this.#prefix, cutoffMs));
	}

	async read(path: string, limitBytes: number): Promise<Uint8Array> {
		if (await this.#isSpooled(path)) return await this.spool.read(path, limitBytes);
		return await this.#translate("read", path, () => this.#objects.read(this.#key(path), limitBytes));
	}

	async write(path: string, bytes: Uint8Array): Promise<void> {
		const key = this.#key(path);
		if (path.startsWith(SPOOLED_ROOT)) return await this.spool.write(path, bytes);
		await this.#translate("write", path, () => this.#objects.put(key, bytes));
	}

	async addressOf(path: string): Promise<string | undefined> {
		return this.#redirects ? await this.#client.address(this.#key(path), ADDRESS_SECONDS) : undefined;
	}

	async open(path: string, range?: ByteRange): Promise<Blob | ReadableStream<Uint8Array>> {
		if (await this.#isSpooled(path)) return await this.spool.open(path, range);
		return await this.#translate("open", path, async () => {
			const key = this.#key(path);
			if (range === undefined || range.end > range.start) return await this.#objects.open(key, range, WHOLE_BYTES);
			await this.#objects.stat(key);
			return new Blob([]);
		});
	}

	async append(path: string, offset: number): Promise<AppendWriter> {
		return await this.spool.append(path, offset);
	}

	async stat(path: string): Promise<FileInfo> {
		const key = this.#key(path);
		if (await this.#isSpooled(path)) return await this.spool.stat(path);
		return await this.#translate("look for", path, async () => {
			try {
				return await this.#objects.stat(key);
			} catch (error) {
				if (!(error instanceof S3Error) || !error.isMissing) throw error;
				for await (const { keys } of this.#objects.list(`${key}/`, { limit: 1 }))
					if (keys.length > 0) return { sizeBytes: 0, modifiedMs: 0, isDirectory: true };
				throw error;
			}
		});
	}

	async list(path: string): Promise<string[]> {
		const prefix = `${this.#key(path)}/`;
		const names = new Set(await this.spool.list(path));
		if (!`${path}/`.startsWith(SPOOLED_ROOT))
			await this.#translate("list", path, async () => {
				for await (const { keys, prefixes } of this.#objects.list(prefix, { delimiter: "/" })) {
					for (const key of keys) names.add(key.slice(prefix.length));
					for (const directory of prefixes) names.add(directory.slice(prefix.length, -1));
				}
			});
		return [...names].sort();
	}

	async move(from: string, to: string): Promise<void> {
		const target = this.#key(to);
		const isSpooled = await this.#isSpooled(from);
		if (!isSpooled) this.#key(from);
		await this.#translate("move", from, async () => {
			const body = await (isSpooled ? this.spool.open(from) : this.open(from));
			const { sizeBytes } = await (isSpooled ? this.spool.stat(from) : this.stat(from));
			await this.#send(target, body, sizeBytes);
			await this.delete(from);
		});
	}

	async delete(path: string): Promise<void> {
		const key = this.#key(path);
		await this.spool.delete(path);
		if (path.startsWith(SPOOLED_ROOT)) return;
		await this.#translate("delete", path, async () => {
			await this.#objects.delete(key);
			for await (const { keys } of this.#objects.list(`${key}/`))
				await Promise.all(keys.map((each) => this.#deletions.run(() => this.#objects.delete(each))));
		});
	}

	/** There is no touching of objects: the file is written again. Only small ones are ever touched. */
	async touch(path: string): Promise<void> {
		if (await this.#isSpooled(path)) return await this.spool.touch(path);
		await this.write(path, await this.read(path, TOUCH_LIMIT_BYTES));
	}

	async close(): Promise<void> {
		await this.spool.close();
	}

	async #send(key: string, body: Blob | ReadableStream<Uint8Array>, sizeBytes: number): Promise<void> {
		if (sizeBytes <= PART_BYTES) await this.#objects.put(key, await new Response(body).bytes());
		else await this.#transfers.send(key, body instanceof Blob ? body.stream() : body, sizeBytes);
	}

	async #isSpooled(path: string): Promise<boolean> {
		try {
			return !(await this.spool.stat(path)).isDirectory;
		} catch (error) {
			if (error instanceof NotFoundError) return false;
			throw error;
		}
	}

	/** @throws InvalidParameterError for a path that `pathFor` would not make */
	#key(path: string): string {
		if (!isPlain(path)) throw new InvalidParameterError(`invalid storage path: ${JSON.stringify(path)}`);
		return this.#prefix + path;
	}

	async #translate<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			if (!(error instanceof S3Error)) throw error;
			if (error.isMissing) throw new NotFoundError(`registry storage: no ${path}`, { cause: error });
			throw new SystemError(`registry storage: failed to ${action} ${path}: ${errorMessage(error)}`, { cause: error });
		}
	}
}

/** Neither storage nor signatures change anything about it: no empty parts, no dots, nothing that XML or addresses lack. */
function isPlain(path: string): boolean {
	return !/[\u0000-\u001f\u007f\\]/.test(path) && path.split("/").every((part) => !["", ".", ".."].includes(part));
}
