/**
 * A registry's files as objects of S3-compatible storage, the path being the key. What is appended to lies in a spool on this machine
 * (another storage) until it is moved to its final place: objects cannot grow, and a blob that is sent once, whole and verified, is
 * the cheapest way there. So an upload is finished by the server that began it; everything else is shared by all servers of a bucket.
 */
import type { S3Client } from "bun";
import { errnoCode, errorMessage, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import { Pool } from "../../base/pool.ts";
import type { AppendWriter, ByteRange, FileInfo, RegistryStorage } from "../../core/registry/storage.ts";

/** The least that S3 takes; of larger files a part is more, for there may be 10,000. */
const PART_BYTES = 5 << 20;
const PART_LIMIT = 10_000;
const PARTS_IN_FLIGHT = 2;
/** Large files on their way there at once: each takes some 30 MB of memory. */
const LARGE_FILES_AT_ONCE = 2;
const RETRIES = 3;
const TOUCH_LIMIT_BYTES = 8 << 20;
/** Up to here an object is read at once, which lets the answer say its length. */
const WHOLE_BYTES = 256 << 10;
/** A blob of many gigabytes only needs to have been begun by then. */
const ADDRESS_SECONDS = 1200;
/** Uploads and what describes them, small files too. */
const SPOOLED_ROOT = "uploads/";

export interface S3Place {
	readonly endpoint: string;
	readonly bucket: string;
	/** Begins every key; empty or with a slash at its end. */
	readonly prefix: string;
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	/** Readers reach the storage themselves and are sent there for blobs. */
	readonly redirects: boolean;
}

export class S3RegistryStorage implements RegistryStorage {
	readonly readsUnfinished: boolean;
	readonly #client: S3Client;
	readonly #prefix: string;
	readonly #redirects: boolean;
	readonly #large = new Pool(LARGE_FILES_AT_ONCE);

	constructor(
		place: S3Place,
		/** Storage on this machine that owns its place; closed with this one. */
		private readonly spool: RegistryStorage,
	) {
		const { endpoint, bucket, region, accessKeyId, secretAccessKey } = place;
		this.#client = new Bun.S3Client({ endpoint, bucket, region, accessKeyId, secretAccessKey });
		this.#prefix = place.prefix;
		this.#redirects = place.redirects;
		this.readsUnfinished = spool.readsUnfinished;
	}

	async read(path: string, limitBytes: number): Promise<Uint8Array> {
		if (await this.#isSpooled(path)) return await this.spool.read(path, limitBytes);
		return await this.#translate("read", path, async () => {
			const { sizeBytes } = await this.#statObject(path);
			if (sizeBytes > limitBytes) throw new SystemError(`${path} has ${sizeBytes} bytes, limit is ${limitBytes}`);
			return sizeBytes === 0 ? new Uint8Array() : await this.#client.file(this.#key(path)).bytes();
		});
	}

	async write(path: string, bytes: Uint8Array): Promise<void> {
		const key = this.#key(path);
		if (path.startsWith(SPOOLED_ROOT)) return await this.spool.write(path, bytes);
		await this.#translate("write", path, () => this.#client.write(key, bytes, { retry: RETRIES }));
	}

	addressOf(path: string): string | undefined {
		return this.#redirects ? this.#client.presign(this.#key(path), { expiresIn: ADDRESS_SECONDS }) : undefined;
	}

	async open(path: string, range?: ByteRange): Promise<Blob | ReadableStream<Uint8Array>> {
		if (await this.#isSpooled(path)) return await this.spool.open(path, range);
		return await this.#translate("open", path, async () => {
			const { sizeBytes } = await this.#statObject(path);
			if (sizeBytes === 0 || (range !== undefined && range.end <= range.start)) return new Blob([]);
			const file = this.#client.file(this.#key(path));
			const { start, end } = range ?? { start: 0, end: sizeBytes };
			if (end - start <= WHOLE_BYTES) return new Blob([await file.slice(start, end).bytes()]);
			// A stream, not the file: an answer made of the file would send the client to the storage itself.
			return (range === undefined ? file : file.slice(range.start, range.end)).stream();
		});
	}

	async append(path: string, offset: number): Promise<AppendWriter> {
		return await this.spool.append(path, offset);
	}

	async stat(path: string): Promise<FileInfo> {
		this.#key(path);
		if (await this.#isSpooled(path)) return await this.spool.stat(path);
		return await this.#translate("look for", path, async () => {
			try {
				return await this.#statObject(path);
			} catch (error) {
				if (!isMissing(error)) throw error;
				const { contents = [] } = await this.#client.list({ prefix: `${this.#key(path)}/`, maxKeys: 1 });
				if (contents.length === 0) throw error;
				return { sizeBytes: 0, modifiedMs: 0, isDirectory: true };
			}
		});
	}

	async list(path: string): Promise<string[]> {
		const prefix = `${this.#key(path)}/`;
		const names = new Set(await this.spool.list(path));
		if (!`${path}/`.startsWith(SPOOLED_ROOT))
			await this.#translate("list", path, async () => {
				for await (const page of this.#pages(prefix, "/")) {
					for (const { key } of page.contents ?? []) names.add(key.slice(prefix.length));
					for (const { prefix: directory } of page.commonPrefixes ?? []) names.add(directory.slice(prefix.length, -1));
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
			await this.#client.delete(key);
			for await (const page of this.#pages(`${key}/`))
				await Promise.all((page.contents ?? []).map((object) => this.#client.delete(object.key)));
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

	/** An object is there when it is complete; a transfer that fails leaves none. */
	async #send(key: string, body: Blob | ReadableStream<Uint8Array>, sizeBytes: number): Promise<void> {
		if (sizeBytes <= PART_BYTES) {
			await this.#client.write(key, await new Response(body).bytes(), { retry: RETRIES });
			return;
		}
		await this.#large.run(() => this.#sendParts(key, body, sizeBytes));
	}

	async #sendParts(key: string, body: Blob | ReadableStream<Uint8Array>, sizeBytes: number): Promise<void> {
		const partSize = Math.max(PART_BYTES, Math.ceil(sizeBytes / PART_LIMIT));
		const writer = this.#client.file(key).writer({ partSize, queueSize: PARTS_IN_FLIGHT, retry: RETRIES });
		const stream: ReadableStream<Uint8Array> = body instanceof Blob ? body.stream() : body;
		let sent = 0;
		let unflushed = 0;
		for await (const piece of stream) {
			writer.write(piece);
			sent += piece.length;
			unflushed += piece.length;
			if (unflushed < partSize) continue;
			unflushed = 0;
			await writer.flush();
		}
		if (sent !== sizeBytes) throw new SystemError(`read ${sent} bytes of ${sizeBytes}`);
		await writer.end();
	}

	async *#pages(prefix: string, delimiter?: string) {
		let continuationToken: string | undefined;
		do {
			const page = await this.#client.list({
				prefix,
				...(delimiter === undefined ? {} : { delimiter }),
				...(continuationToken === undefined ? {} : { continuationToken }),
			});
			yield page;
			continuationToken = page.isTruncated === true ? page.nextContinuationToken : undefined;
		} while (continuationToken !== undefined);
	}

	async #statObject(path: string): Promise<FileInfo> {
		const { size, lastModified } = await this.#client.stat(this.#key(path));
		return { sizeBytes: size, modifiedMs: new Date(lastModified).getTime(), isDirectory: false };
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
		const isPlain = path !== "" && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
		if (!isPlain || path.includes("\0"))
			throw new InvalidParameterError(`invalid storage path: ${JSON.stringify(path)}`);
		return this.#prefix + path;
	}

	async #translate<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			if (isMissing(error)) throw new NotFoundError(`registry storage: no ${path}`, { cause: error });
			if (errnoCode(error) === undefined) throw error;
			throw new SystemError(`registry storage: failed to ${action} ${path}: ${errorMessage(error)}`, { cause: error });
		}
	}
}

function isMissing(error: unknown): boolean {
	return ["NoSuchKey", "NotFound", "ERR_S3_FILE_NOT_FOUND"].includes(errnoCode(error) ?? "");
}
