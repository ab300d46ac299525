/** GNU tar's sparse formats (GNU tar manual, "Storing Sparse Files"): old GNU headers, pax 0.0, 0.1 and 1.0. */
import type { SparseRange } from "./tar-entry.ts";
import { invalidHeader, parseNumber } from "./tar-header.ts";
import { type PaxRecord, paxNumber, paxText } from "./tar-pax.ts";

/** Old format: four ranges in the header block; `more` when extension blocks follow. */
export function parseOldSparseHeader(block: Uint8Array): {
	readonly ranges: SparseRange[];
	readonly more: boolean;
	readonly realSizeBytes: number;
} {
	return {
		ranges: parseRangeTable(block, 386, 4),
		more: block[482] !== 0,
		realSizeBytes: parseNumber(block, 483, 12),
	};
}

/** Extension block of the old format: 21 ranges. */
export function parseOldSparseExtension(block: Uint8Array): { readonly ranges: SparseRange[]; readonly more: boolean } {
	return { ranges: parseRangeTable(block, 0, 21), more: block[504] !== 0 };
}

function parseRangeTable(block: Uint8Array, offset: number, count: number): SparseRange[] {
	const ranges: SparseRange[] = [];
	for (let index = 0; index < count; index++) {
		const at = offset + index * 24;
		if (block[at] === 0) break;
		ranges.push({ offset: parseNumber(block, at, 12), length: parseNumber(block, at + 12, 12) });
	}
	return ranges;
}

export interface PaxSparse {
	/** Present in formats 0.0 and 0.1; in 1.0 the map stands before the data. */
	readonly ranges: SparseRange[] | undefined;
	readonly realSizeBytes: number;
	readonly name: string | undefined;
}

/** Undefined when the records tell of no sparse file. @throws InvalidParameterError */
export function parsePaxSparse(records: readonly PaxRecord[]): PaxSparse | undefined {
	const last = (key: string) => records.findLast((record) => record.key === key)?.value;
	const nameValue = last("GNU.sparse.name");
	const name = nameValue === undefined ? undefined : paxText(nameValue);
	const major = last("GNU.sparse.major");
	if (major !== undefined && paxNumber(major) === 1) {
		const realSize = last("GNU.sparse.realsize");
		if (realSize === undefined) throw invalidHeader();
		return { ranges: undefined, realSizeBytes: paxNumber(realSize), name };
	}
	const size = last("GNU.sparse.size");
	if (size === undefined) return undefined;
	const map = last("GNU.sparse.map");
	const ranges = map === undefined ? repeatedRanges(records) : mapRanges(paxText(map));
	return { ranges, realSizeBytes: paxNumber(size), name };
}

function mapRanges(text: string): SparseRange[] {
	if (text === "") return [];
	const numbers = text.split(",").map(Number);
	if (numbers.length % 2 !== 0 || !numbers.every(Number.isSafeInteger)) throw invalidHeader();
	return pairs(numbers);
}

function repeatedRanges(records: readonly PaxRecord[]): SparseRange[] {
	const numbers = records
		.filter(({ key }) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
		.map(({ value }) => paxNumber(value));
	if (numbers.length % 2 !== 0) throw invalidHeader();
	return pairs(numbers);
}

function pairs(numbers: readonly number[]): SparseRange[] {
	const ranges: SparseRange[] = [];
	for (let index = 0; index < numbers.length; index += 2)
		ranges.push({ offset: numbers[index] ?? 0, length: numbers[index + 1] ?? 0 });
	return ranges;
}

/**
 * Format 1.0's map: a decimal count, then offsets and lengths, one number a line, padded to a whole block.
 * @returns undefined while more blocks are needed
 */
export function parseSparseMap(bytes: Uint8Array): SparseRange[] | undefined {
	const numbers: number[] = [];
	let value = 0;
	let digits = 0;
	for (const byte of bytes) {
		if (byte === 0x0a) {
			if (digits === 0 || !Number.isSafeInteger(value)) throw invalidHeader();
			numbers.push(value);
			if (numbers.length === 1 + 2 * (numbers[0] ?? 0)) return pairs(numbers.slice(1));
			value = 0;
			digits = 0;
		} else if (byte >= 0x30 && byte <= 0x39 && digits < 16) {
			value = value * 10 + (byte - 0x30);
			digits++;
		} else throw invalidHeader();
	}
	return undefined;
}

/** Ranges must come in order, not overlap, lie in the file and hold the payload exactly. @throws InvalidParameterError */
export function checkSparseRanges(
	ranges: readonly SparseRange[],
	realSizeBytes: number,
	payloadBytes: number,
): SparseRange[] {
	let end = 0;
	let total = 0;
	for (const { offset, length } of ranges) {
		if (offset < end || length < 0) throw invalidHeader();
		end = offset + length;
		total += length;
	}
	if (end > realSizeBytes || total !== payloadBytes || !Number.isSafeInteger(realSizeBytes)) throw invalidHeader();
	return ranges.filter(({ length }) => length > 0);
}
