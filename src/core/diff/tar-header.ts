/**
 * One 512-byte header block: POSIX ustar, GNU, star and V7 dialects (POSIX.1-2017 pax "ustar Interchange Format"; GNU tar manual,
 * "Basic Tar Format").
 */
import { InvalidParameterError } from "../../base/errors.ts";
import { decodePath, encodePath } from "./path-text.ts";
import { TAR_BLOCK_BYTES } from "./tar-entry.ts";

/** A header block's fields as they stand there, before long names and pax records are applied. */
export interface RawHeader {
	readonly block: Uint8Array;
	readonly dialect: "ustar" | "gnu" | "v7";
	/** ASCII type flag, `0` for a file. */
	readonly typeFlag: string;
	readonly name: string;
	readonly linkName: string;
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly sizeBytes: number;
	readonly modifiedSeconds: number;
	readonly userName: string;
	readonly groupName: string;
	readonly deviceMajor: number;
	readonly deviceMinor: number;
}

export function invalidHeader(): InvalidParameterError {
	return new InvalidParameterError("archive/tar: invalid tar header");
}

/** @param block copied by the caller when its buffer is used again. @throws InvalidParameterError */
export function parseHeader(block: Uint8Array): RawHeader {
	if (!checksumMatches(block)) throw invalidHeader();
	const dialect = dialectOf(block);
	const name = text(block, 0, 100);
	const star = dialect === "ustar" && ascii(block, 508, 4) === "tar\0";
	const prefix = dialect === "ustar" ? text(block, 345, star ? 131 : 155) : "";
	const hasOwners = dialect !== "v7";
	return {
		block,
		dialect,
		typeFlag: String.fromCharCode(block[156] || 0x30),
		name: prefix === "" ? name : `${prefix}/${name}`,
		linkName: text(block, 157, 100),
		mode: parseNumber(block, 100, 8),
		uid: parseNumber(block, 108, 8),
		gid: parseNumber(block, 116, 8),
		sizeBytes: parseNumber(block, 124, 12),
		modifiedSeconds: parseNumber(block, 136, 12),
		userName: hasOwners ? text(block, 265, 32) : "",
		groupName: hasOwners ? text(block, 297, 32) : "",
		deviceMajor: hasOwners ? parseNumber(block, 329, 8) : 0,
		deviceMinor: hasOwners ? parseNumber(block, 337, 8) : 0,
	};
}

export function isZeroBlock(block: Uint8Array): boolean {
	for (const byte of block) if (byte !== 0) return false;
	return true;
}

function dialectOf(block: Uint8Array): RawHeader["dialect"] {
	const magic = ascii(block, 257, 8);
	if (magic === "ustar  \0") return "gnu";
	return magic.startsWith("ustar\0") ? "ustar" : "v7";
}

/** The sum of all bytes with the checksum field taken as spaces; some old writers summed signed bytes. */
function checksumMatches(block: Uint8Array): boolean {
	let unsigned = 8 * 0x20;
	let signed = unsigned;
	for (let index = 0; index < TAR_BLOCK_BYTES; index++) {
		if (index === 148) index = 156;
		const byte = block[index] ?? 0;
		unsigned += byte;
		signed += byte > 127 ? byte - 256 : byte;
	}
	const stored = parseNumber(block, 148, 8);
	return stored === unsigned || stored === signed;
}

function ascii(block: Uint8Array, offset: number, length: number): string {
	return String.fromCharCode(...block.subarray(offset, offset + length));
}

function text(block: Uint8Array, offset: number, length: number): string {
	let end = offset;
	while (end < offset + length && block[end] !== 0) end++;
	return decodePath(block.subarray(offset, end));
}

/** Octal text, or base 256 with the top bit set (two's complement). @throws InvalidParameterError */
export function parseNumber(block: Uint8Array, offset: number, length: number): number {
	const first = block[offset] ?? 0;
	if ((first & 0x80) !== 0) return parseBase256(block, offset, length);
	let value = 0;
	let started = false;
	for (let index = offset; index < offset + length; index++) {
		const byte = block[index] ?? 0;
		if (byte === 0x20 && !started) continue;
		if (byte === 0 || byte === 0x20) {
			if (started || byte === 0) break;
			continue;
		}
		if (byte < 0x30 || byte > 0x37) throw invalidHeader();
		value = value * 8 + (byte - 0x30);
		started = true;
	}
	return value;
}

function parseBase256(block: Uint8Array, offset: number, length: number): number {
	const negative = ((block[offset] ?? 0) & 0x40) !== 0;
	let value = negative ? -1n : 0n;
	for (let index = offset; index < offset + length; index++) {
		const byte = index === offset ? ((block[index] ?? 0) & 0x7f) | (negative ? 0x80 : 0) : (block[index] ?? 0);
		value = (value << 8n) | BigInt(byte);
	}
	if (negative) value = BigInt.asIntN(8 * length, value);
	const number = Number(value);
	if (!Number.isSafeInteger(number)) throw invalidHeader();
	return number;
}

/** What the writer puts into a ustar block. Texts must fit: the caller has moved long ones into pax records. */
export interface HeaderFields {
	readonly name: string;
	readonly prefix: string;
	readonly linkName: string;
	readonly typeFlag: string;
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly sizeBytes: number;
	readonly modifiedSeconds: number;
	readonly userName: string;
	readonly groupName: string;
	readonly deviceMajor: number;
	readonly deviceMinor: number;
}

export function formatHeader(fields: HeaderFields): Buffer {
	const block = Buffer.alloc(TAR_BLOCK_BYTES);
	encodePath(fields.name).copy(block, 0, 0, 100);
	putOctal(block, 100, 8, fields.mode);
	putOctal(block, 108, 8, fields.uid);
	putOctal(block, 116, 8, fields.gid);
	putOctal(block, 124, 12, fields.sizeBytes);
	putOctal(block, 136, 12, fields.modifiedSeconds);
	block.fill(0x20, 148, 156);
	block.write(fields.typeFlag, 156, 1, "latin1");
	encodePath(fields.linkName).copy(block, 157, 0, 100);
	block.write("ustar\x0000", 257, 8, "latin1");
	encodePath(fields.userName).copy(block, 265, 0, 31);
	encodePath(fields.groupName).copy(block, 297, 0, 31);
	putOctal(block, 329, 8, fields.deviceMajor);
	putOctal(block, 337, 8, fields.deviceMinor);
	encodePath(fields.prefix).copy(block, 345, 0, 155);
	let sum = 0;
	for (const byte of block) sum += byte;
	block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
	return block;
}

/** Largest number that `length` bytes of octal text hold, with the closing NUL. */
export function octalLimit(length: number): number {
	return 8 ** (length - 1) - 1;
}

function putOctal(block: Buffer, offset: number, length: number, value: number): void {
	const clamped = value >= 0 && value <= octalLimit(length) ? value : 0;
	block.write(`${clamped.toString(8).padStart(length - 1, "0")}\0`, offset, length, "latin1");
}
