/** The daemon's own log: one line per message on a descriptor, as JSON or as `key=value` text. */
import { write, writeSync } from "node:fs";
import { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from "../base/logger.ts";

/** Lines that wait for a reader who does not read; what comes on top is counted and dropped. */
const MAX_QUEUED_BYTES = 1024 * 1024;
const RETRY_MS = 20;
const CLOSE_ATTEMPTS = 50;

export class LogSink {
	#level: number;
	#queue = "";
	#isWriting = false;
	#isScheduled = false;
	#droppedLines = 0;

	constructor(
		private readonly fd: number,
		level: LogLevel,
		private readonly format: "text" | "json",
	) {
		this.#level = LOG_LEVELS.indexOf(level);
	}

	get logger(): Logger {
		return new SinkLogger(this, {});
	}

	setLevel(level: LogLevel): void {
		this.#level = LOG_LEVELS.indexOf(level);
	}

	isEnabled(level: LogLevel): boolean {
		return LOG_LEVELS.indexOf(level) >= this.#level;
	}

	put(level: LogLevel, message: string, fields: LogFields): void {
		if (this.#queue.length > MAX_QUEUED_BYTES) {
			this.#droppedLines++;
			return;
		}
		const time = new Date().toISOString();
		this.#queue +=
			this.format === "json" ? jsonLine(time, level, message, fields) : textLine(time, level, message, fields);
		// Off the path of the request that logs.
		if (this.#isScheduled || this.#isWriting) return;
		this.#isScheduled = true;
		setImmediate(() => this.#flush());
	}

	/** Writes what is left, at the end of the process; gives up on a reader that does not read. */
	async close(): Promise<void> {
		for (let attempt = 0; this.#isWriting && attempt < CLOSE_ATTEMPTS; attempt++)
			await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
		try {
			if (this.#queue !== "") writeSync(this.fd, this.#queue);
		} catch {
			// EPIPE, EAGAIN: nobody reads the last lines.
		}
		this.#queue = "";
	}

	#flush(): void {
		this.#isScheduled = false;
		if (this.#isWriting || this.#queue === "") return;
		const bytes = Buffer.from(this.#queue);
		this.#queue = "";
		this.#isWriting = true;
		this.#write(bytes, 0);
	}

	#write(bytes: Buffer, offset: number): void {
		write(this.fd, bytes, offset, bytes.length - offset, null, (error, written) => {
			const next = error === null ? offset + written : offset;
			if (error === null && next >= bytes.length) return this.#written();
			// A full pipe is tried again; a closed one takes nothing any more.
			if (error !== null && error.code !== "EAGAIN") return this.#written();
			if (error === null) this.#write(bytes, next);
			else setTimeout(() => this.#write(bytes, next), RETRY_MS);
		});
	}

	#written(): void {
		this.#isWriting = false;
		const dropped = this.#droppedLines;
		this.#droppedLines = 0;
		if (dropped > 0) this.put("warn", "log lines were dropped", { lines: dropped });
		else this.#flush();
	}
}

class SinkLogger implements Logger {
	constructor(
		private readonly sink: LogSink,
		private readonly fields: LogFields,
	) {}

	trace(message: string, fields?: LogFields): void {
		this.#log("trace", message, fields);
	}

	debug(message: string, fields?: LogFields): void {
		this.#log("debug", message, fields);
	}

	info(message: string, fields?: LogFields): void {
		this.#log("info", message, fields);
	}

	warn(message: string, fields?: LogFields): void {
		this.#log("warn", message, fields);
	}

	error(message: string, fields?: LogFields): void {
		this.#log("error", message, fields);
	}

	child(fields: LogFields): Logger {
		return new SinkLogger(this.sink, { ...this.fields, ...fields });
	}

	#log(level: LogLevel, message: string, fields: LogFields = {}): void {
		if (this.sink.isEnabled(level)) this.sink.put(level, message, { ...this.fields, ...fields });
	}
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
	const line = JSON.stringify({ time, level, msg: message, ...fields }, (_key, value: unknown) =>
		typeof value === "bigint" ? String(value) : value instanceof Error ? value.message : value,
	);
	return `${line}\n`;
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
	let line = `time=${time} level=${level} msg=${quote(message)}`;
	for (const [key, value] of Object.entries(fields))
		if (value !== undefined) line += ` ${key}=${quote(fieldText(value))}`;
	return `${line}\n`;
}

function fieldText(value: unknown): string {
	if (typeof value === "string") return value;
	if (value instanceof Error) return value.message;
	return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Quoted where a blank, a quote or a control character would make the line ambiguous. */
function quote(text: string): string {
	return /^[^\s"=\0-\x1f\x7f]+$/.test(text) ? text : JSON.stringify(text);
}
