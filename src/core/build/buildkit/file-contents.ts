/**
 * Contents of files as a BuildKit client sends them, several at a time and in pieces, as the records that the copy of a context takes
 * (`context-contents.ts`), one after the other.
 */
import { InvalidParameterError } from "../../../base/errors.ts";
import { CONTENT_HEAD_BYTES, CONTENT_VERDICTS, type ContentVerdict, writeContentHead } from "../context-contents.ts";
import type { ContextEntry } from "../context-listing.ts";

/** Files that are asked for at a time, and the bytes of them that may wait here. */
const MAX_FILES = 100;
const MAX_WAITING_BYTES = 8 << 20;
/** Larger files are passed on as they come, one at a time. */
const LARGE_BYTES = 1 << 20;

export interface WantedFile {
	/** The client's number. */
	readonly id: number;
	/** In the listing. */
	readonly position: number;
	readonly entry: ContextEntry;
}

interface OpenFile extends WantedFile {
	readonly isLarge: boolean;
	parts: Uint8Array[];
	receivedBytes: number;
}

/** Says what to ask for next, and makes records of what comes. */
export class FileContents {
	readonly #wanted: readonly WantedFile[];
	readonly #open = new Map<number, OpenFile>();
	/** Whole files that wait for the end of a large one. */
	#finished: OpenFile[] = [];
	#large: OpenFile | undefined;
	#next = 0;
	#waitingBytes = 0;

	constructor(wanted: readonly WantedFile[]) {
		this.#wanted = wanted;
	}

	get isComplete(): boolean {
		return this.#open.size === 0 && this.#finished.length === 0 && this.#next === this.#wanted.length;
	}

	/** Numbers of the files to ask for now. */
	ask(): number[] {
		const ids: number[] = [];
		for (;;) {
			const file = this.#wanted[this.#next];
			if (file === undefined || this.#open.size >= MAX_FILES) return ids;
			const isLarge = file.entry.sizeBytes > LARGE_BYTES;
			const isRoom = isLarge
				? this.#large === undefined
				: this.#waitingBytes + file.entry.sizeBytes <= MAX_WAITING_BYTES;
			if (!isRoom) return ids;
			const open = { ...file, isLarge, parts: [], receivedBytes: 0 };
			if (isLarge) this.#large = open;
			else this.#waitingBytes += file.entry.sizeBytes;
			this.#open.set(file.id, open);
			this.#next++;
			ids.push(file.id);
		}
	}

	/**
	 * Some of a file; nothing: its end.
	 * @returns pieces of records
	 * @throws InvalidParameterError for a file that nobody asked for, or one that is not what was listed
	 */
	take(id: number, data: Uint8Array): Uint8Array[] {
		const file = this.#open.get(id);
		if (file === undefined)
			throw new InvalidParameterError("the client sent a file of the build context that was not asked for");
		return data.length === 0 ? this.#end(file) : this.#data(file, data);
	}

	#data(file: OpenFile, data: Uint8Array): Uint8Array[] {
		const { entry, isLarge } = file;
		const isFirst = file.receivedBytes === 0;
		if (!isLarge) {
			// It may have grown since it was listed.
			if (file.receivedBytes + data.length > LARGE_BYTES + MAX_WAITING_BYTES) throw changed(entry);
			file.parts.push(data);
			file.receivedBytes += data.length;
			return [];
		}
		// What was added to a large file since then is left out, and it is asked for again by the next build.
		const part = data.subarray(0, entry.sizeBytes - Math.min(file.receivedBytes, entry.sizeBytes));
		file.receivedBytes += data.length;
		return isFirst ? [headOf(file, entry.sizeBytes), part] : [part];
	}

	#end(file: OpenFile): Uint8Array[] {
		const { id, entry, isLarge, receivedBytes } = file;
		if (receivedBytes < entry.sizeBytes) throw changed(entry);
		this.#open.delete(id);
		if (!isLarge) {
			this.#finished.push(file);
			return this.#large === undefined || this.#large.receivedBytes === 0 ? this.#flush() : [];
		}
		this.#large = undefined;
		return [verdictByte(receivedBytes > entry.sizeBytes ? "recent" : "whole"), ...this.#flush()];
	}

	#flush(): Uint8Array[] {
		const files = this.#finished;
		this.#finished = [];
		return files.flatMap((file) => {
			const { entry, parts, receivedBytes } = file;
			this.#waitingBytes -= entry.sizeBytes;
			const verdict = receivedBytes === entry.sizeBytes ? "whole" : "recent";
			return [headOf(file, receivedBytes), ...parts, verdictByte(verdict)];
		});
	}
}

function headOf({ position, entry }: OpenFile, sizeBytes: number): Uint8Array {
	const head = Buffer.allocUnsafe(CONTENT_HEAD_BYTES);
	writeContentHead(head, 0, { ...entry, position, sizeBytes });
	return head;
}

function verdictByte(verdict: ContentVerdict): Uint8Array {
	return Uint8Array.of(CONTENT_VERDICTS.indexOf(verdict));
}

function changed({ path }: ContextEntry): InvalidParameterError {
	return new InvalidParameterError(`${path} of the build context cannot be read, or has changed while it was sent`);
}
