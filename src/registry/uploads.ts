import { createHash, type Hash, randomBytes } from "node:crypto";
import type { Digest } from "../base/digest.ts";
import { ConflictError, errorMessage, NotFoundError } from "../base/errors.ts";
import { interruptible } from "../base/interruptible.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import { isUploadId } from "../core/registry/names.ts";
import { pathFor } from "../core/registry/paths.ts";
import { RegistryError, registryError } from "../core/registry/registry-error.ts";
import type { AppendWriter, RegistryStorage } from "../core/registry/storage.ts";
import type { BlobService, BlobStat } from "./blobs.ts";

const NAME_LIMIT_BYTES = 1024;
/** Uploads whose running hash is kept; the others are hashed again from the storage when they end. */
const SESSION_LIMIT = 4096;
/** Pieces lie outside the collector's heap: it sees little of what it could give back, and is told after this many bytes. */
const RELIEF_BYTES = 32 << 20;

/** A piece of an upload, as a request brings it. */
export interface UploadChunk {
	readonly body: AsyncIterable<Uint8Array> | null;
	/** Where the sender believes it goes; anywhere when undefined. */
	readonly startOffset?: number | undefined;
	/** Bytes announced; unknown when undefined. */
	readonly lengthBytes?: number | undefined;
	/** Told once, of the bytes that came, however the piece ended. */
	readonly onReceived?: (sizeBytes: number) => void;
}

/** What is known of an upload besides its file. Lost with the process, and made again from the file. */
interface Session {
	hash: Hash;
	/** Bytes that went into `hash`; -1 when a failure left it in doubt. */
	hashedBytes: number;
	/** Ends the request that is writing. */
	interrupt: AbortController | undefined;
}

/**
 * Uploads by pieces, over several requests and server lives. The newest request of an upload wins: one that hangs on a dead
 * connection is cut off. Bytes are hashed as they arrive, and become a blob only when the digest is right and they are on the disk.
 */
export class UploadService {
	readonly #sessions = new Map<string, Session>();
	readonly #locks = new KeyedMutex();
	#sinceRelief = 0;

	constructor(
		private readonly deps: {
			readonly storage: RegistryStorage;
			readonly blobs: BlobService;
			readonly relieveMemory?: () => void;
		},
	) {}

	/** Counts what was received in all. */
	readonly #countPiece = (sizeBytes: number): void => {
		this.#sinceRelief += sizeBytes;
		if (this.#sinceRelief < RELIEF_BYTES) return;
		this.#sinceRelief = 0;
		this.deps.relieveMemory?.();
	};

	get activeCount(): number {
		return this.#sessions.size;
	}

	/** @returns the new upload's ID */
	async start(name: string): Promise<string> {
		const id = randomBytes(16).toString("hex");
		// Held: a clean-up sees the directory before there is anything in it.
		await this.#locks.run(id, () =>
			this.deps.storage.write(pathFor({ kind: "upload-repository", id }), Buffer.from(name)),
		);
		this.#remember(id, freshSession());
		return id;
	}

	/** Bytes received. @throws RegistryError BLOB_UPLOAD_UNKNOWN */
	async status(name: string, id: string): Promise<number> {
		await this.#check(name, id);
		return await this.#size(id);
	}

	/**
	 * @returns bytes received in all
	 * @throws RegistryError RANGE_INVALID when the piece does not go where the upload ends, BLOB_UPLOAD_UNKNOWN, SIZE_INVALID
	 */
	async append(name: string, id: string, chunk: UploadChunk): Promise<number> {
		return await this.#exclusively(name, id, async (session, signal) => {
			const writer = await this.#receive(id, session, chunk, signal);
			await writer.close();
			return writer.offset;
		});
	}

	/**
	 * Takes the last piece, verifies and publishes.
	 * @throws RegistryError DIGEST_INVALID (the upload is then gone), and those of `append`
	 */
	async finish(name: string, id: string, digest: Digest, chunk: UploadChunk): Promise<BlobStat> {
		return await this.#exclusively(name, id, async (session, signal) => {
			const writer = await this.#receive(id, session, chunk, signal);
			await writer.commit();
			const found = await this.#digestOf(id, session, writer.offset, digest);
			if (found !== digest) {
				await this.#forget(id);
				throw registryError("DIGEST_INVALID", { expected: digest, found });
			}
			await this.deps.blobs.adopt(name, digest, pathFor({ kind: "upload-data", id }));
			await this.#forget(id);
			return { digest, sizeBytes: writer.offset };
		});
	}

	/** A blob in one go. */
	async put(name: string, digest: Digest, chunk: UploadChunk): Promise<BlobStat> {
		const id = await this.start(name);
		try {
			return await this.finish(name, id, digest, chunk);
		} catch (error) {
			// Nobody knows the ID: it cannot be resumed.
			await this.#forget(id);
			throw error;
		}
	}

	/** @throws RegistryError BLOB_UPLOAD_UNKNOWN */
	async cancel(name: string, id: string): Promise<void> {
		await this.#exclusively(name, id, () => this.#forget(id));
	}

	/** Removes uploads that nobody wrote to since `cutoffMs`. @returns how many */
	async cleanUp(cutoffMs: number): Promise<number> {
		let removed = 0;
		for (const id of await this.deps.storage.list(pathFor({ kind: "uploads-root" }))) {
			if (!isUploadId(id) || this.#locks.isHeld(id)) continue;
			const isStale = await this.#locks.run(id, async () => {
				if ((await this.#lastUseMs(id)) >= cutoffMs) return false;
				await this.#forget(id);
				return true;
			});
			if (isStale) removed++;
		}
		return removed + ((await this.deps.storage.abortUnfinished?.(cutoffMs)) ?? 0);
	}

	/** The file of an unfinished upload, for readers that follow it. */
	dataPath(id: string): string {
		return pathFor({ kind: "upload-data", id });
	}

	async #receive(id: string, session: Session, chunk: UploadChunk, signal: AbortSignal): Promise<AppendWriter> {
		const offset = await this.#size(id);
		if (chunk.startOffset !== undefined && chunk.startOffset !== offset)
			throw registryError("RANGE_INVALID", { offset, expectedOffset: offset });
		const writer = await this.deps.storage.append(pathFor({ kind: "upload-data", id }), offset);
		if (session.hashedBytes !== offset) await this.#rehash(id, session, offset);
		try {
			if (chunk.body !== null) await pour(chunk.body, writer, session, { signal, onPiece: this.#countPiece });
			const received = writer.offset - offset;
			if (chunk.lengthBytes !== undefined && received !== chunk.lengthBytes)
				throw registryError("SIZE_INVALID", { announced: chunk.lengthBytes, received });
			return writer;
		} catch (error) {
			// What arrived stays, for the sender to go on from.
			await writer.close();
			throw error instanceof RegistryError || signal.aborted ? error : interrupted(error, signal);
		} finally {
			chunk.onReceived?.(writer.offset - offset);
		}
	}

	async #digestOf(id: string, session: Session, sizeBytes: number, wanted: Digest): Promise<string> {
		const algorithm = wanted.slice(0, wanted.indexOf(":"));
		if (algorithm === "sha256" && session.hashedBytes === sizeBytes) return `sha256:${session.hash.digest("hex")}`;
		const hash = await this.#hashFile(id, algorithm, sizeBytes);
		return `${algorithm}:${hash.digest("hex")}`;
	}

	async #rehash(id: string, session: Session, sizeBytes: number): Promise<void> {
		session.hashedBytes = -1;
		session.hash = await this.#hashFile(id, "sha256", sizeBytes);
		session.hashedBytes = sizeBytes;
	}

	async #hashFile(id: string, algorithm: string, sizeBytes: number): Promise<Hash> {
		const hash = createHash(algorithm);
		if (sizeBytes === 0) return hash;
		const body = await this.deps.storage.open(pathFor({ kind: "upload-data", id }), { start: 0, end: sizeBytes });
		const stream: ReadableStream<Uint8Array> = body instanceof Blob ? body.stream() : body;
		for await (const piece of stream) hash.update(piece);
		return hash;
	}

	/** Runs alone on the upload; whoever was writing is interrupted. */
	async #exclusively<T>(
		name: string,
		id: string,
		work: (session: Session, signal: AbortSignal) => Promise<T>,
	): Promise<T> {
		await this.#check(name, id);
		this.#sessions
			.get(id)
			?.interrupt?.abort(registryError("BLOB_UPLOAD_INVALID", undefined, "another request took over"));
		return await this.#locks.run(id, async () => {
			await this.#check(name, id);
			const session = this.#sessions.get(id) ?? this.#remember(id, { ...freshSession(), hashedBytes: -1 });
			session.interrupt = new AbortController();
			try {
				return await work(session, session.interrupt.signal);
			} finally {
				session.interrupt = undefined;
			}
		});
	}

	async #check(name: string, id: string): Promise<void> {
		const unknown = () => registryError("BLOB_UPLOAD_UNKNOWN", { upload: id });
		if (!isUploadId(id)) throw unknown();
		try {
			const owner = await this.deps.storage.read(pathFor({ kind: "upload-repository", id }), NAME_LIMIT_BYTES);
			if (Buffer.from(owner).toString() !== name) throw unknown();
		} catch (error) {
			if (error instanceof NotFoundError) throw unknown();
			throw error;
		}
	}

	async #size(id: string): Promise<number> {
		try {
			return (await this.deps.storage.stat(pathFor({ kind: "upload-data", id }))).sizeBytes;
		} catch (error) {
			if (error instanceof NotFoundError) return 0;
			throw error;
		}
	}

	async #lastUseMs(id: string): Promise<number> {
		for (const kind of ["upload-data", "upload-repository"] as const) {
			try {
				return (await this.deps.storage.stat(pathFor({ kind, id }))).modifiedMs;
			} catch (error) {
				if (!(error instanceof NotFoundError)) throw error;
			}
		}
		return 0;
	}

	#remember(id: string, session: Session): Session {
		if (this.#sessions.size >= SESSION_LIMIT) {
			const idle = this.#sessions.entries().find(([, each]) => each.interrupt === undefined);
			if (idle !== undefined) this.#sessions.delete(idle[0]);
		}
		this.#sessions.set(id, session);
		return session;
	}

	async #forget(id: string): Promise<void> {
		this.#sessions.delete(id);
		await this.deps.storage.delete(pathFor({ kind: "upload", id }));
	}
}

function freshSession(): Session {
	return { hash: createHash("sha256"), hashedBytes: 0, interrupt: undefined };
}

async function pour(
	body: AsyncIterable<Uint8Array>,
	writer: AppendWriter,
	session: Session,
	options: { readonly signal: AbortSignal; readonly onPiece: (sizeBytes: number) => void },
): Promise<void> {
	const pieces = body[Symbol.asyncIterator]();
	const wait = interruptible(options.signal);
	try {
		for (let piece = await wait(pieces.next()); piece.done !== true; piece = await wait(pieces.next())) {
			session.hashedBytes = -1;
			session.hash.update(piece.value);
			await writer.write(piece.value);
			session.hashedBytes = writer.offset;
			options.onPiece(piece.value.length);
		}
	} catch (error) {
		// Not awaited: a connection that hangs would hold the one that takes over.
		pieces.return?.().catch(() => undefined);
		throw error;
	}
}

/** The sender went away, or the storage failed. */
function interrupted(error: unknown, signal: AbortSignal): unknown {
	if (signal.aborted) return signal.reason;
	if (error instanceof ConflictError) return registryError("RANGE_INVALID", undefined, undefined, { cause: error });
	if (error instanceof Error && error.name === "AbortError")
		return registryError("BLOB_UPLOAD_INVALID", undefined, `upload interrupted: ${errorMessage(error)}`, {
			cause: error,
		});
	return error;
}
