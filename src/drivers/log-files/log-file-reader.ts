/** Reads the monitors' log files back: rotated ones first, then the current one, then what comes. */
import { statSync } from "node:fs";
import type { Readable } from "node:stream";
import { errnoCode, NotImplementedError, SystemError } from "../../base/errors.ts";
import { FrameWriter } from "../../core/log/frame-writer.ts";
import { decodeJsonLines } from "../../core/log/json-lines.ts";
import { decodeLocalFrames } from "../../core/log/local-frames.ts";
import type { LogReader, LogReadOptions, LogSource } from "../../core/log/log-reader.ts";
import { RecordFormatter } from "../../core/log/record-formatter.ts";
import { ChangeWatcher } from "./change-watcher.ts";
import { ChunkStream } from "./chunk-stream.ts";
import { type LogFile, openLogFiles } from "./log-file.ts";
import { type TailStart, tailOfFrames, tailOfLines } from "./tail.ts";

const BLOCK_BYTES = 1024 * 1024;
/** No record of ours is longer; a longer one is damage. */
const LARGEST_RECORD_BYTES = 64 * 1024 * 1024;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class LogFileReader implements LogReader {
	read(source: LogSource, options: LogReadOptions): Readable {
		if (source.driver !== "json-file" && source.driver !== "local")
			throw new NotImplementedError("configured logging driver does not support reading");
		const closed = new AbortController();
		const reading = new Reading(source, options, closed.signal);
		return new ChunkStream(reading.chunks(), closed);
	}
}

/** A file with the part of it that is still to be read. */
interface Position {
	readonly file: LogFile;
	offset: number;
	skipBytes: number;
	/** Not to read beyond: where the file ended when the reading began. */
	readonly limit: number;
}

class Reading {
	readonly #source: LogSource;
	readonly #options: LogReadOptions;
	readonly #closed: AbortSignal;
	readonly #writer: FrameWriter;
	readonly #formatter: RecordFormatter;
	#block = Buffer.allocUnsafe(0);

	constructor(source: LogSource, options: LogReadOptions, closed: AbortSignal) {
		this.#source = source;
		this.#options = options;
		this.#closed = closed;
		this.#writer = new FrameWriter({ raw: options.terminal });
		this.#formatter = new RecordFormatter(options, this.#writer);
	}

	async *chunks(): AsyncGenerator<Buffer> {
		// Watched before anything is read: a change in between is then noticed.
		using watcher = this.#options.follow ? new ChangeWatcher(this.#source.path) : undefined;
		let open = openLogFiles(this.#source.path);
		try {
			let current: Position | undefined;
			for (const position of await this.#positions(open)) {
				await position.file.decompress();
				yield* this.#drain(position);
				current = position;
				if (this.#isOver()) return;
			}
			if (watcher === undefined) return;
			yield* this.#follow(watcher, current, (files) => {
				for (const file of open) if (!files.includes(file)) file.close();
				open = files;
			});
		} finally {
			for (const file of open) file.close();
		}
	}

	#isOver(): boolean {
		return this.#closed.aborted || this.#formatter.isPastEnd;
	}

	/** Where to begin in each file. Of a tail, the files it does not reach are left out. */
	async #positions(files: readonly LogFile[]): Promise<Position[]> {
		const { tail, follow } = this.#options;
		let missing = tail ?? Number.POSITIVE_INFINITY;
		const positions: Position[] = [];
		for (const [index, file] of files.toReversed().entries()) {
			const isCurrent = index === 0;
			// Of a tail that is complete only the current file is needed, for what is to come.
			if (missing <= 0 && !(isCurrent && follow)) break;
			let start: TailStart = { offset: 0, skipBytes: 0, found: 0 };
			if (tail !== undefined) {
				await file.decompress();
				start = this.#tail(file, missing);
				missing -= start.found;
			}
			const { offset, skipBytes } = start;
			const limit = isCurrent && !follow ? file.sizeBytes() : Number.POSITIVE_INFINITY;
			positions.unshift({ file, offset, skipBytes, limit });
		}
		return positions;
	}

	#tail(file: LogFile, count: number): TailStart {
		const size = file.sizeBytes();
		return this.#source.driver === "local" ? tailOfFrames(file, size, count) : tailOfLines(file, size, count);
	}

	/** Yields what a file has, as far as its records are complete. */
	*#drain(position: Position): Generator<Buffer> {
		while (!this.#isOver()) {
			const length = this.#fill(position);
			if (length === 0) break;
			const used = this.#decode(length, position.skipBytes);
			if (used > 0) {
				position.offset += used;
				position.skipBytes = 0;
			}
			yield* this.#writer.take();
			if (used > 0) continue;
			// Not one whole record: either it is still being written, or it is longer than the block.
			if (length < this.#block.length) break;
			if (length >= LARGEST_RECORD_BYTES) throw new SystemError(`the log ${this.#source.path} is damaged`);
			this.#block = Buffer.allocUnsafe(this.#block.length * 4);
		}
		// An idle follower keeps no block.
		this.#block = Buffer.allocUnsafe(0);
	}

	#fill(position: Position): number {
		if (this.#block.length === 0) this.#block = Buffer.allocUnsafe(BLOCK_BYTES);
		const most = Math.min(this.#block.length, position.limit - position.offset);
		let length = 0;
		while (length < most) {
			const count = position.file.read(this.#block, length, most - length, position.offset + length);
			if (count === 0) break;
			length += count;
		}
		return length;
	}

	#decode(length: number, skipBytes: number): number {
		if (this.#source.driver === "json-file") return decodeJsonLines(this.#block, length, this.#formatter);
		const used = decodeLocalFrames(this.#block, length, this.#formatter, skipBytes);
		if (used === -1) throw new SystemError(`the log ${this.#source.path} is damaged`);
		return used;
	}

	/** @param keep takes the files that are still needed and closes the others */
	async *#follow(
		watcher: ChangeWatcher,
		last: Position | undefined,
		keep: (files: LogFile[]) => void,
	): AsyncGenerator<Buffer> {
		const ended = this.#whenEnded(watcher);
		try {
			let current = last;
			for (;;) {
				const wasEnded = ended.signal.aborted;
				if (current !== undefined) yield* this.#drain(current);
				if (this.#isOver()) return;
				const newer = this.#filesAfter(current?.file);
				if (newer.length > 0) {
					// Its last records may have been written just before it was rotated.
					if (current !== undefined) yield* this.#drain(current);
					keep(newer);
					for (const file of newer.slice(0, -1)) {
						await file.decompress();
						yield* this.#drain(beginning(file));
					}
					const newest = newer.at(-1);
					current = newest === undefined ? undefined : beginning(newest);
					continue;
				}
				if (wasEnded) return;
				await watcher.changed();
			}
		} finally {
			ended.stop();
		}
	}

	/** Files that came after `known`, oldest first; all of them when it is gone. Empty when nothing is newer. */
	#filesAfter(known: LogFile | undefined): LogFile[] {
		if (known !== undefined && inodeOf(this.#source.path) === known.inode) return [];
		const files = openLogFiles(this.#source.path);
		const index = files.findIndex(({ inode }) => inode === known?.inode);
		for (const file of files.slice(0, index + 1)) file.close();
		return files.slice(index + 1);
	}

	/** Wakes the watcher at the end of the container, of the time asked for, and of the client. */
	#whenEnded(watcher: ChangeWatcher): { readonly signal: AbortSignal; stop(): void } {
		const over = new AbortController();
		const wake = () => {
			over.abort();
			watcher.notify();
		};
		const { ended, untilNs } = this.#options;
		const remainingMs = untilNs === undefined ? undefined : Number(untilNs / 1_000_000n) - Date.now();
		const timer =
			remainingMs === undefined ? undefined : setTimeout(wake, Math.min(Math.max(remainingMs, 0), LONGEST_TIMER_MS));
		const signals = [this.#closed, ...(ended === undefined ? [] : [ended])];
		for (const signal of signals) {
			if (signal.aborted) wake();
			else signal.addEventListener("abort", wake, { once: true });
		}
		const stop = () => {
			clearTimeout(timer);
			for (const signal of signals) signal.removeEventListener("abort", wake);
		};
		return { signal: over.signal, stop };
	}
}

function beginning(file: LogFile): Position {
	return { file, offset: 0, skipBytes: 0, limit: Number.POSITIVE_INFINITY };
}

function inodeOf(path: string): number | undefined {
	try {
		return statSync(path).ino;
	} catch (cause) {
		if (errnoCode(cause) === "ENOENT") return undefined;
		throw new SystemError(`cannot look at the log ${path}`, { cause });
	}
}
