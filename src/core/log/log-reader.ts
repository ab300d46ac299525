import type { Readable } from "node:stream";
import type { LogsOptions } from "./logs-options.ts";

/** Where a container's log is and how it is written. */
export interface LogSource {
	/** Log driver. */
	readonly driver: string;
	/** Current file; rotated ones are `<path>.1` (newest), `<path>.2` … or the same with `.gz`. */
	readonly path: string;
}

export interface LogReadOptions extends LogsOptions {
	/** Raw bytes instead of frames: the container has a terminal. */
	readonly terminal: boolean;
	/** With `follow`: aborted when the container has ended and its log is complete; the rest is read and the stream ends. */
	readonly ended?: AbortSignal;
}

/** Reads logs back. */
export interface LogReader {
	/**
	 * The stream is the caller's; destroying it closes the files. It holds back while nobody reads.
	 * @throws NotImplementedError `configured logging driver does not support reading`
	 */
	read(source: LogSource, options: LogReadOptions): Readable;
}
