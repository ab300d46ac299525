import { errnoCode } from "../base/errors.ts";
import { ExitError } from "./usage-error.ts";

/** What a process ends with when its reader went away, as if SIGPIPE had killed it. */
const BROKEN_PIPE_EXIT_CODE = 141;

/**
 * One of the process's output streams. It writes through Bun's file sink: `process.stdout` costs 12 ms to load, and does not
 * tell when a pipe is full.
 */
export class Output {
	readonly #sink: Bun.FileSink;
	#pending: Promise<unknown> | undefined;

	constructor(
		file: Bun.BunFile,
		readonly fd: 1 | 2,
	) {
		this.#sink = file.writer();
	}

	/** Buffered; goes out at the next `flush`, or when much has gathered. */
	write(data: string | Uint8Array): void {
		this.#keep(this.#sink.write(data));
	}

	line(text: string): void {
		this.write(`${text}\n`);
	}

	/** Writes at once; waits while the reader is slow. @throws ExitError 141 when there is no reader any more */
	async writeThrough(data: string | Uint8Array): Promise<void> {
		this.write(data);
		await this.flush();
	}

	/** @throws ExitError 141 when the reader has gone */
	async flush(): Promise<void> {
		try {
			while (this.#pending !== undefined) {
				const pending = this.#pending;
				this.#pending = undefined;
				await pending;
			}
			const flushed = this.#sink.flush();
			if (flushed instanceof Promise) await flushed;
		} catch (error) {
			if (errnoCode(error) === "EPIPE") throw new ExitError(BROKEN_PIPE_EXIT_CODE);
			throw error;
		}
	}

	#keep(result: number | Promise<number>): void {
		if (!(result instanceof Promise)) return;
		result.catch(() => {}); // seen by the next flush, which awaits the same promise
		this.#pending = this.#pending === undefined ? result : Promise.all([this.#pending, result]);
	}
}
