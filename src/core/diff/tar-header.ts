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

/** @param block of zeros, to be filled */
export function formatHeader(fields: HeaderFields, block = Buffer.alloc(TAR_BLOCK_BYTES)): Buffer {
	putText(block, 0, 100, fields.name);
	putOctal(block, 100, 8, fields.mode);
	putOctal(block, 108, 8, fields.uid);
	putOctal(block, 116, 8, fields.gid);
	putOctal(block, 124, 12, fields.sizeBytes);
	putOctal(block, 136, 12, fields.modifiedSeconds);
	block.fill(0x20, 148, 156);
	putText(block, 156, 1, fields.typeFlag);
	putText(block, 157, 100, fields.linkName);
	block.set(MAGIC, 257);
	putText(block, 265, 31, fields.userName);
	putText(block, 297, 31, fields.groupName);
	putOctal(block, 329, 8, fields.deviceMajor);
	putOctal(block, 337, 8, fields.deviceMinor);
	putText(block, 345, 155, fields.prefix);
	let sum = 0;
	for (let index = 0; index < TAR_BLOCK_BYTES; index++) sum += block[index] as number;
	putOctal(block, 148, 7, sum);
	return block;
}

/** `ustar`, a NUL, and version 00. */
const MAGIC = Buffer.from("ustar\x0000", "latin1");

/** Largest number that `length` bytes of octal text hold, with the closing NUL. */
export function octalLimit(length: number): number {
	return 8 ** (length - 1) - 1;
}

/** Digit by digit: an archive has a dozen such fields for each of its files. */
function putOctal(block: Buffer, offset: number, length: number, value: number): void {
	let rest = value >= 0 && value <= octalLimit(length) ? value : 0;
	for (let index = offset + length - 2; index >= offset; index--) {
		const shorter = Math.floor(rest / 8);
		block[index] = 0x30 + rest - shorter * 8;
		rest = shorter;
	}
	block[offset + length - 1] = 0;
}

/** What does not fit is cut. */
function putText(block: Buffer, offset: number, length: number, text: string): void {
	for (let index = 0; index < text.length; index++) {
		const code = text.charCodeAt(index);
		if (code > 0x7f) {
			encodePath(text).copy(block, offset, 0, length);
			return;
		}
		if (index < length) block[offset + index] = code;
	}
}
