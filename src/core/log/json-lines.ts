/**
 * Docker's json-file format: `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}` in each line. The fixed pattern is
 * scanned for in bytes; JSON.parse sees only lines that do not have it.
 */
import { type LogTime, parseLogTime } from "./log-time.ts";
import { formatAttributes, type RecordFormatter } from "./record-formatter.ts";

const OPENING = Buffer.from('{"log":"');
/** Cannot stand inside a JSON string: its second quote would be escaped there. */
const STREAM_FIELD = Buffer.from('","stream":"std');
const ATTRIBUTES_FIELD = '"attrs":';
const TIME_FIELD = Buffer.from('"time":"');
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_E = 0x65;
const LETTER_N = 0x6e;
const LETTER_U = 0x75;

/** A JSON escape's second byte and what it stands for. */
const ESCAPES: Readonly<Record<number, number>> = {
	34: 0x22,
	47: 0x2f,
	92: 0x5c,
	98: 0x08,
	102: 0x0c,
	110: 0x0a,
	114: 0x0d,
	116: 0x09,
};

/**
 * Decodes the complete lines of `block` up to `end`.
 * @returns the offset behind the last complete line; what follows has to be offered again with more behind it
 */
export function decodeJsonLines(block: Buffer, end: number, formatter: RecordFormatter): number {
	let start = 0;
	// The next occurrence at or after `start` of each, or Infinity: every byte is searched once.
	let field = -1;
	let backslash = -1;
	while (!formatter.isPastEnd) {
		const lineEnd = block.indexOf(NEWLINE, start);
		if (lineEnd === -1 || lineEnd >= end) break;
		if (field < start) field = indexFrom(block, STREAM_FIELD, start);
		const textStart = start + OPENING.length;
		if (field > lineEnd || field < textStart || !opensRecord(block, start)) {
			writeForeign(block, start, lineEnd, formatter);
		} else {
			const stream = block[field + STREAM_FIELD.length] === LETTER_E ? 2 : 1;
			if (formatter.wantsStream(stream)) {
				if (backslash < textStart) backslash = indexFrom(block, BACKSLASH, textStart);
				const text = { start: textStart, end: field, backslash };
				if (formatter.isPlain) writePlain(block, text, stream, formatter);
				else writeDated(block, text, stream, lineEnd, formatter);
			}
		}
		start = lineEnd + 1;
	}
	return start;
}

interface RawText {
	readonly start: number;
	readonly end: number;
	/** First backslash at or after `start`, maybe behind `end`. */
	readonly backslash: number;
}

function indexFrom(block: Buffer, what: Buffer | number, start: number): number {
	const found = block.indexOf(what, start);
	return found === -1 ? Number.POSITIVE_INFINITY : found;
}

function opensRecord(block: Buffer, start: number): boolean {
	for (let index = 0; index < OPENING.length; index++) if (block[start + index] !== OPENING[index]) return false;
	return true;
}

function writePlain(block: Buffer, text: RawText, stream: number, formatter: RecordFormatter): void {
	const { writer } = formatter;
	const size = text.end - text.start;
	const offset = writer.reserve(stream, size);
	writer.commit(decodeText(block, text, writer.buffer, offset));
}

/** Unescaped text is never longer than escaped. @returns bytes written to `target` from `offset` on */
function decodeText(block: Buffer, text: RawText, target: Buffer, offset: number): number {
	if (text.backslash >= text.end) return block.copy(target, offset, text.start, text.end);
	if (text.backslash === text.end - 2 && block[text.end - 1] === LETTER_N) {
		block.copy(target, offset, text.start, text.backslash);
		target[offset + text.backslash - text.start] = NEWLINE;
		return text.backslash - text.start + 1;
	}
	return decodeRuns(block, text, target, offset);
}

function decodeRuns(block: Buffer, text: RawText, target: Buffer, offset: number): number {
	let out = offset;
	let position = text.start;
	let backslash = text.backslash;
	while (backslash < text.end) {
		out += block.copy(target, out, position, backslash);
		const letter = block[backslash + 1] ?? 0;
		if (letter === LETTER_U) {
			const character = readUnicode(block, backslash);
			out += target.write(character.text, out);
			position = backslash + character.length;
		} else {
			target[out++] = ESCAPES[letter] ?? letter;
			position = backslash + 2;
		}
		backslash = indexFrom(block, BACKSLASH, position);
	}
	return out + block.copy(target, out, position, text.end) - offset;
}

/** `\uXXXX`, or two of them that are one character beyond the basic plane. */
function readUnicode(block: Buffer, at: number): { readonly text: string; readonly length: number } {
	const first = hexAt(block, at + 2);
	if (first >= 0xd800 && first <= 0xdbff && block[at + 6] === BACKSLASH && block[at + 7] === LETTER_U) {
		const second = hexAt(block, at + 8);
		if (second >= 0xdc00 && second <= 0xdfff) return { text: String.fromCharCode(first, second), length: 12 };
	}
	return { text: String.fromCharCode(first), length: 6 };
}

function hexAt(block: Buffer, at: number): number {
	const value = Number.parseInt(block.toString("latin1", at, at + 4), 16);
	return Number.isNaN(value) ? 0xfffd : value;
}

function writeDated(block: Buffer, raw: RawText, stream: number, lineEnd: number, formatter: RecordFormatter): void {
	const field = block.lastIndexOf(TIME_FIELD, lineEnd);
	const timeEnd = block.lastIndexOf(QUOTE, lineEnd);
	const time = field < raw.end ? undefined : parseLogTime(block, field + TIME_FIELD.length, timeEnd);
	if (time === undefined) {
		writeForeign(block, raw.start - OPENING.length, lineEnd, formatter);
		return;
	}
	if (!formatter.wantsTime(time)) return;
	const text = Buffer.allocUnsafe(raw.end - raw.start);
	const size = decodeText(block, raw, text, 0);
	formatter.write(stream, text.subarray(0, size), time, attributesBetween(block, raw.end, field));
}

function attributesBetween(block: Buffer, start: number, end: number): string {
	const between = block.toString("utf8", start, end);
	const field = between.indexOf(ATTRIBUTES_FIELD);
	if (field === -1) return "";
	const json = between.slice(field + ATTRIBUTES_FIELD.length).replace(/,$/, "");
	return formatAttributes(stringsOf(parseObject(json)));
}

/** A line in another order of fields, or with spaces. What is no record at all (a torn write) is passed over. */
function writeForeign(block: Buffer, start: number, end: number, formatter: RecordFormatter): void {
	const record = parseObject(block.toString("utf8", start, end));
	const { log, stream, time: timeText } = record;
	if (typeof log !== "string" || typeof timeText !== "string") return;
	const number = stream === "stderr" ? 2 : 1;
	const encoded = Buffer.from(timeText, "latin1");
	const time: LogTime | undefined = parseLogTime(encoded, 0, encoded.length);
	if (time === undefined || !formatter.wantsStream(number) || !formatter.wantsTime(time)) return;
	formatter.write(number, Buffer.from(log), time, formatAttributes(stringsOf(record["attrs"])));
}

function parseObject(json: string): Record<string, unknown> {
	try {
		const parsed: unknown = JSON.parse(json);
		return isObject(parsed) ? parsed : {};
	} catch {
		// SyntaxError: half a record, after a crash or on a full disk.
		return {};
	}
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stringsOf(value: unknown): Record<string, string> {
	if (!isObject(value)) return {};
	return Object.fromEntries(
		Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
	);
}
