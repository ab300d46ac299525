/**
 * The re-assembly record of a layer: what its tar was made of, in order, so that the same bytes can be written again from the
 * unpacked files. After the magic line come records:
 *
 *   1  varint length  bytes                                          bytes of the tar as they are (headers, padding, trailer)
 *   2  varint number  varint length  path  varint offset  varint length   a range of an unpacked file
 *
 * `number` counts the members with contents; a file that a later member replaced is found by it. Stored compressed.
 */
import { SystemError } from "../../base/errors.ts";
import { decodePath, encodePath } from "./path-text.ts";

const MAGIC = Buffer.from("gantry layer assembly 1\n");
const RAW = 1;
const FILE_RANGE = 2;
/** Longer raw runs are split, so that a reader never holds more. */
const RAW_LIMIT_BYTES = 1 << 16;

export interface FileRange {
	readonly number: number;
	readonly path: string;
	readonly offset: number;
	readonly length: number;
}

export class AssemblyWriter {
	#ready: Uint8Array[] = [MAGIC];
	#raw: Uint8Array[] = [];
	#rawBytes = 0;

	raw(bytes: Uint8Array): void {
		for (let position = 0; position < bytes.length; position += RAW_LIMIT_BYTES) {
			const piece = Buffer.from(bytes.subarray(position, position + RAW_LIMIT_BYTES));
			if (this.#rawBytes + piece.length > RAW_LIMIT_BYTES) this.#flushRaw();
			this.#raw.push(piece);
			this.#rawBytes += piece.length;
		}
	}

	file(range: FileRange): void {
		this.#flushRaw();
		const path = encodePath(range.path);
		this.#ready.push(
			Buffer.from([FILE_RANGE, ...varint(range.number), ...varint(path.length)]),
			path,
			Buffer.from([...varint(range.offset), ...varint(range.length)]),
		);
	}

	/** What is complete so far; ask after each piece of input. */
	take(): Buffer {
		const bytes = Buffer.concat(this.#ready);
		this.#ready = [];
		return bytes;
	}

	finish(): Buffer {
		this.#flushRaw();
		return this.take();
	}

	#flushRaw(): void {
		if (this.#rawBytes === 0) return;
		this.#ready.push(Buffer.from([RAW, ...varint(this.#rawBytes)]), ...this.#raw);
		this.#raw = [];
		this.#rawBytes = 0;
	}
}

export type AssemblyRecord =
	| { readonly kind: "raw"; readonly bytes: Uint8Array }
	| { readonly kind: "file"; readonly range: FileRange };

/** Takes the record in pieces and gives what is complete. @throws SystemError when it is damaged */
export class AssemblyReader {
	#buffer: Buffer = Buffer.alloc(0);
	#sawMagic = false;

	push(chunk: Uint8Array): AssemblyRecord[] {
		this.#buffer = this.#buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#buffer, chunk]);
		const records: AssemblyRecord[] = [];
		if (!this.#sawMagic) {
			if (this.#buffer.length < MAGIC.length) return records;
			if (!this.#buffer.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged();
			this.#buffer = this.#buffer.subarray(MAGIC.length);
			this.#sawMagic = true;
		}
		const cursor = new Cursor(this.#buffer);
		for (let record = parseRecord(cursor); record !== undefined; record = parseRecord(cursor)) {
			records.push(record);
			cursor.keep();
		}
		this.#buffer = this.#buffer.subarray(cursor.kept);
		return records;
	}

	finish(): void {
		if (!this.#sawMagic || this.#buffer.length > 0) throw damaged();
	}
}

class Cursor {
	position = 0;
	kept = 0;

	constructor(readonly buffer: Buffer) {}

	keep(): void {
		this.kept = this.position;
	}

	varint(): number | undefined {
		let value = 0;
		let factor = 1;
		for (let digits = 0; digits < 8; digits++) {
			const byte = this.buffer[this.position];
			if (byte === undefined) return undefined;
			this.position++;
			value += (byte & 0x7f) * factor;
			if (byte < 0x80) return value;
			factor *= 128;
		}
		throw damaged();
	}

	bytes(): Buffer | undefined {
		const length = this.varint();
		if (length === undefined || this.position + length > this.buffer.length) return undefined;
		this.position += length;
		return this.buffer.subarray(this.position - length, this.position);
	}
}

function parseRecord(cursor: Cursor): AssemblyRecord | undefined {
	const kind = cursor.buffer[cursor.position];
	if (kind === undefined) return undefined;
	cursor.position++;
	if (kind === RAW) {
		const bytes = cursor.bytes();
		return bytes === undefined ? undefined : { kind: "raw", bytes };
	}
	if (kind !== FILE_RANGE) throw damaged();
	const number = cursor.varint();
	const path = number === undefined ? undefined : cursor.bytes();
	const offset = path === undefined ? undefined : cursor.varint();
	const length = offset === undefined ? undefined : cursor.varint();
	if (number === undefined || path === undefined || offset === undefined || length === undefined) return undefined;
	return { kind: "file", range: { number, path: decodePath(path), offset, length } };
}

function varint(value: number): number[] {
	const bytes: number[] = [];
	while (value >= 0x80) {
		bytes.push((value % 128) | 0x80);
		value = Math.floor(value / 128);
	}
	bytes.push(value);
	return bytes;
}

function damaged(): SystemError {
	return new SystemError("layer assembly record is damaged");
}
