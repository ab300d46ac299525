/**
 * Large files on their way to a bucket, in parts. What is begun there costs money until it is completed or aborted, and shows in no
 * list of objects: a note beside the spool, written before the first part, tells the next life of this process what to abort. What was
 * begun and not noted yet has no parts, and goes with the old ones (`abortOlder`).
 */
import { randomBytes } from "node:crypto";
import { SystemError } from "../../base/errors.ts";
import { Pool } from "../../base/pool.ts";
import type { RegistryStorage } from "../../core/registry/storage.ts";
import { S3Error } from "./s3-answer.ts";
import type { S3Objects } from "./s3-objects.ts";

/** The least that S3 takes; of larger files a part is more, for there may be 10,000. */
export const PART_BYTES = 5 << 20;
const PART_LIMIT = 10_000;
const PARTS_IN_FLIGHT = 2;
/** At once: each takes some 20 MB of memory. */
const TRANSFERS_AT_ONCE = 2;
/** Copies of parts lie outside the collector's heap: it sees little of what it could give back, and is told after this many bytes. */
const RELIEF_BYTES = 10 << 20;
const NOTES_ROOT = "transfers";
const NOTE_LIMIT_BYTES = 64 << 10;

interface Note {
	readonly key: string;
	readonly uploadId: string;
}

export class S3Transfers {
	readonly #pool = new Pool(TRANSFERS_AT_ONCE);
	#sinceRelief = 0;

	constructor(
		private readonly objects: S3Objects,
		private readonly spool: RegistryStorage,
		private readonly relieveMemory: () => void = () => {},
	) {}

	/** The object is there when all of it is; a transfer that fails leaves none. */
	send(key: string, body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<void> {
		return this.#pool.run(async () => {
			const note: Note = { key, uploadId: await this.objects.begin(key) };
			const path = `${NOTES_ROOT}/${randomBytes(16).toString("hex")}`;
			try {
				await this.spool.write(path, Buffer.from(JSON.stringify(note)));
				const tags = await this.#sendParts(note, body, sizeBytes);
				await this.objects.complete(key, note.uploadId, tags, sizeBytes);
			} catch (error) {
				await this.#abandon(note, path);
				throw error;
			}
			await this.spool.delete(path);
		});
	}

	/** Aborts what an earlier life of this process had begun. What cannot be aborted now is left for the next time. */
	async cleanUp(): Promise<void> {
		for (const name of await this.spool.list(NOTES_ROOT)) {
			const path = `${NOTES_ROOT}/${name}`;
			const note: Note = JSON.parse(Buffer.from(await this.spool.read(path, NOTE_LIMIT_BYTES)).toString());
			await this.#abandon(note, path);
		}
	}

	/** Aborts what anybody began under the prefix before `cutoffMs`. @returns how many */
	async abortOlder(prefix: string, cutoffMs: number): Promise<number> {
		let aborted = 0;
		try {
			for await (const { key, uploadId, begunMs } of this.objects.begun(prefix)) {
				if (begunMs >= cutoffMs) continue;
				await this.objects.abort(key, uploadId);
				aborted++;
			}
		} catch (error) {
			// Not every server has such a list, and not everybody may see it.
			if (!(error instanceof S3Error) || ![400, 403, 405, 501].includes(error.status)) throw error;
		}
		return aborted;
	}

	async #sendParts({ key, uploadId }: Note, body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<string[]> {
		const partBytes = Math.max(PART_BYTES, Math.ceil(sizeBytes / PART_LIMIT));
		const sending: Promise<string>[] = [];
		try {
			for await (const part of partsOf(body, partBytes, sizeBytes)) {
				// Its memory is used again, too.
				await sending.at(-PARTS_IN_FLIGHT);
				this.#count(part.length);
				const sent = this.objects.putPart(key, uploadId, sending.length + 1, part);
				// Waited for below, whatever fails before.
				sent.catch(() => {});
				sending.push(sent);
			}
			return await Promise.all(sending);
		} finally {
			await Promise.allSettled(sending);
		}
	}

	#count(bytes: number): void {
		this.#sinceRelief += bytes;
		if (this.#sinceRelief < RELIEF_BYTES) return;
		this.#sinceRelief = 0;
		this.relieveMemory();
	}

	/** The note stays when the storage cannot be told now, or does not let us. */
	async #abandon({ key, uploadId }: Note, path: string): Promise<void> {
		try {
			await this.objects.abort(key, uploadId);
			await this.spool.delete(path);
		} catch (error) {
			// Nothing depends on it, and whoever sends has an error of his own to tell.
			if (!(error instanceof S3Error || error instanceof SystemError)) throw error;
		}
	}
}

/** @throws SystemError when there are more or fewer bytes. A part's memory is used again for the third one after it */
async function* partsOf(
	body: AsyncIterable<Uint8Array>,
	partBytes: number,
	sizeBytes: number,
): AsyncGenerator<Uint8Array> {
	const buffers = Array.from({ length: PARTS_IN_FLIGHT + 1 }, () => Buffer.allocUnsafeSlow(partBytes));
	let taken = 0;
	for await (const piece of body)
		for (let at = 0; at < piece.length; ) {
			if (taken === sizeBytes) throw new SystemError(`read more than ${sizeBytes} bytes`);
			const buffer = buffers[Math.floor(taken / partBytes) % buffers.length] ?? Buffer.alloc(0);
			const filled = taken % partBytes;
			const count = Math.min(piece.length - at, partBytes - filled, sizeBytes - taken);
			buffer.set(piece.subarray(at, at + count), filled);
			at += count;
			taken += count;
			if (filled + count === partBytes || taken === sizeBytes) yield buffer.subarray(0, filled + count);
		}
	if (taken !== sizeBytes) throw new SystemError(`read ${taken} bytes of ${sizeBytes}`);
}
