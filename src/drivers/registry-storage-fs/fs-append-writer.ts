import type { FileHandle } from "node:fs/promises";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { AppendWriter } from "../../core/registry/storage.ts";

const BUFFER_BYTES = 1 << 19;
/** Bytes after which the disk is told to begin, so that the last wait is short. */
const SYNC_INTERVAL_BYTES = 64 << 20;

/**
 * Two buffers: one fills while the other is on its way to the disk on another thread, so that the caller hashes and receives
 * meanwhile and memory stays flat.
 */
export class FsAppendWriter implements AppendWriter {
	#filling: Uint8Array = new Uint8Array(BUFFER_BYTES);
	#spare: Uint8Array = new Uint8Array(BUFFER_BYTES);
	#filledBytes = 0;
	/** Where the filling buffer goes. */
	#position: number;
	#writing: Promise<void> = Promise.resolve();
	#syncing: Promise<void> | undefined;
	#unsyncedBytes = 0;
	#failure: unknown;
	#isOpen = true;

	constructor(
		readonly file: FileHandle,
		readonly path: string,
		offset: number,
	) {
		this.#position = offset;
	}

	get offset(): number {
		return this.#position + this.#filledBytes;
	}

	async write(chunk: Uint8Array): Promise<void> {
		let rest = chunk;
		while (rest.length > 0) {
			const part = rest.subarray(0, BUFFER_BYTES - this.#filledBytes);
			this.#filling.set(part, this.#filledBytes);
			this.#filledBytes += part.length;
			rest = rest.subarray(part.length);
			if (this.#filledBytes === BUFFER_BYTES) await this.#flush();
		}
	}

	async close(): Promise<void> {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		try {
			await this.#drain();
		} finally {
			await this.file.close();
		}
	}

	async commit(): Promise<void> {
		if (!this.#isOpen) return;
		try {
			await this.#drain();
			await this.file.datasync();
		} catch (error) {
			throw this.#translate(error);
		} finally {
			this.#isOpen = false;
			await this.file.close();
		}
	}

	async #drain(): Promise<void> {
		await this.#flush();
		await this.#writing;
		await this.#syncing;
		if (this.#failure !== undefined) throw this.#translate(this.#failure);
	}

	/** Waits for the buffer before, then lets this one go. */
	async #flush(): Promise<void> {
		await this.#writing;
		if (this.#failure !== undefined) throw this.#translate(this.#failure);
		if (this.#filledBytes === 0) return;
		const buffer = this.#filling.subarray(0, this.#filledBytes);
		const position = this.#position;
		[this.#filling, this.#spare] = [this.#spare, this.#filling];
		this.#filledBytes = 0;
		this.#position += buffer.length;
		this.#writing = this.#writeAll(buffer, position);
	}

	/** Never rejects: the failure is told by the next call. */
	async #writeAll(buffer: Uint8Array, position: number): Promise<void> {
		try {
			for (let done = 0; done < buffer.length; )
				done += (await this.file.write(buffer, done, buffer.length - done, position + done)).bytesWritten;
			this.#unsyncedBytes += buffer.length;
			if (this.#unsyncedBytes < SYNC_INTERVAL_BYTES) return;
			// A disk that is slower than the network holds the upload back here rather than at its end.
			await this.#syncing;
			this.#unsyncedBytes = 0;
			this.#syncing = this.file.datasync().catch((error: unknown) => this.#fail(error));
		} catch (error) {
			this.#fail(error);
		}
	}

	#fail(error: unknown): void {
		this.#failure ??= error;
	}

	#translate(error: unknown): unknown {
		if (error instanceof SystemError) return error;
		return new SystemError(`registry storage: failed to write ${this.path}: ${errorMessage(error)}`, { cause: error });
	}
}
