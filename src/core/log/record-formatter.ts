import type { FrameWriter } from "./frame-writer.ts";
import { formatLogTime, type LogTime, logTimeOf } from "./log-time.ts";
import type { LogsOptions } from "./logs-options.ts";

const NEWLINE = 0x0a;

/** Decides per record whether and with what in front it is shown. One per reading. */
export class RecordFormatter {
	readonly writer: FrameWriter;
	/** Nothing is put in front of lines and no record has to be dated: the decoders' fast path. */
	readonly isPlain: boolean;
	readonly #options: LogsOptions;
	readonly #since: LogTime | undefined;
	readonly #until: LogTime | undefined;
	/** By stream number: the last record did not end its line. */
	readonly #isMidLine: boolean[] = [false, false, false];
	#isPastEnd = false;
	#lastSecond = Number.NaN;
	#lastSecondText = "";

	constructor(options: LogsOptions, writer: FrameWriter) {
		this.writer = writer;
		this.#options = options;
		this.#since = options.sinceNs === undefined ? undefined : logTimeOf(options.sinceNs);
		this.#until = options.untilNs === undefined ? undefined : logTimeOf(options.untilNs);
		this.isPlain = !options.timestamps && !options.details && this.#since === undefined && this.#until === undefined;
	}

	/** A record later than `until` was seen. */
	get isPastEnd(): boolean {
		return this.#isPastEnd;
	}

	wantsStream(stream: number): boolean {
		return stream === 1 ? this.#options.stdout : stream === 2 && this.#options.stderr;
	}

	/** Whether the record's time is within bounds. */
	wantsTime(time: LogTime): boolean {
		if (this.#since !== undefined && isBefore(time, this.#since)) return false;
		if (this.#until === undefined || !isBefore(this.#until, time)) return true;
		this.#isPastEnd = true;
		return false;
	}

	/**
	 * Writes a record's text, each line behind what was asked for. Lines that arrive in pieces get it once.
	 * @param attributes as `details` shows them
	 */
	write(stream: number, text: Buffer, time: LogTime, attributes: string): void {
		const prefix = this.#prefix(time, attributes);
		for (let start = 0; start < text.length; ) {
			const newline = text.indexOf(NEWLINE, start);
			const end = newline === -1 ? text.length : newline + 1;
			const before = this.#isMidLine[stream] === true ? "" : prefix;
			const offset = this.writer.reserve(stream, before.length + end - start);
			this.writer.buffer.write(before, offset, "latin1");
			text.copy(this.writer.buffer, offset + before.length, start, end);
			this.writer.commit(before.length + end - start);
			this.#isMidLine[stream] = newline === -1;
			start = end;
		}
	}

	/** Neighbouring records mostly share their second. */
	#formatTime({ seconds, nanoseconds }: LogTime): string {
		if (seconds !== this.#lastSecond) {
			this.#lastSecond = seconds;
			this.#lastSecondText = formatLogTime({ seconds, nanoseconds: 0 }).slice(0, 20);
		}
		return `${this.#lastSecondText}${String(nanoseconds).padStart(9, "0")}Z`;
	}

	#prefix(time: LogTime, attributes: string): string {
		const stamp = this.#options.timestamps ? `${this.#formatTime(time)} ` : "";
		return this.#options.details ? `${stamp}${attributes} ` : stamp;
	}
}

function isBefore(one: LogTime, other: LogTime): boolean {
	return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanoseconds < other.nanoseconds);
}

/** `details` as Docker shows them: `key=value` pairs, escaped as in a query, by key. ASCII. */
export function formatAttributes(attributes: Readonly<Record<string, string>>): string {
	return Object.keys(attributes)
		.sort()
		.map((key) => `${queryEscape(key)}=${queryEscape(attributes[key] ?? "")}`)
		.join(",");
}

function queryEscape(text: string): string {
	return encodeURIComponent(text.toWellFormed())
		.replaceAll("%20", "+")
		.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
