/** Pax extended header records (POSIX.1-2017 pax, "pax Extended Header"): `<length> <key>=<value>\n`. */
import { InvalidParameterError } from "../../base/errors.ts";
import { decodePath, encodePath } from "./path-text.ts";

export interface PaxRecord {
	readonly key: string;
	readonly value: Uint8Array;
}

const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;

/** In order: sparse maps repeat their keys. @throws InvalidParameterError */
export function parsePaxRecords(payload: Uint8Array): PaxRecord[] {
	const records: PaxRecord[] = [];
	for (let position = 0; position < payload.length; ) {
		const space = payload.indexOf(SPACE, position);
		if (space < 0 || space === position || space - position > 10) throw invalidRecord();
		const length = decimal(payload.subarray(position, space));
		const end = position + length;
		const equals = payload.indexOf(EQUALS, space);
		if (end > payload.length || payload[end - 1] !== NEWLINE || equals < 0 || equals >= end) throw invalidRecord();
		records.push({
			key: decodePath(payload.subarray(space + 1, equals)),
			value: payload.subarray(equals + 1, end - 1),
		});
		position = end;
	}
	return records;
}

function decimal(bytes: Uint8Array): number {
	const text = String.fromCharCode(...bytes);
	if (!/^\d+$/.test(text)) throw invalidRecord();
	return Number(text);
}

function invalidRecord(): InvalidParameterError {
	return new InvalidParameterError("archive/tar: invalid tar header");
}

export function formatPaxRecords(records: readonly PaxRecord[]): Buffer {
	return Buffer.concat(records.map(formatRecord));
}

/** The length counts its own digits. */
function formatRecord({ key, value }: PaxRecord): Buffer {
	const rest = Buffer.concat([Buffer.from(" "), encodePath(key), Buffer.from("="), value, Buffer.from("\n")]);
	let length = rest.length + 1;
	while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
	return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** Nanoseconds from decimal seconds with any number of fraction digits (`-1.5`, `1350244992.023960108`). */
export function parsePaxTimeNs(text: string): bigint {
	const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
	if (match === null) throw invalidRecord();
	const fraction = (match[3] ?? "").slice(0, 9).padEnd(9, "0");
	const value = BigInt(match[2] ?? "0") * 1_000_000_000n + BigInt(fraction);
	return match[1] === "-" ? -value : value;
}

export function formatPaxTime(ns: bigint): string {
	const absolute = ns < 0n ? -ns : ns;
	const fraction = (absolute % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
	const seconds = (absolute / 1_000_000_000n).toString();
	return `${ns < 0n ? "-" : ""}${seconds}${fraction === "" ? "" : `.${fraction}`}`;
}

export function paxText(value: Uint8Array): string {
	return decodePath(value);
}

/** @throws InvalidParameterError */
export function paxNumber(value: Uint8Array): number {
	const text = decodePath(value);
	const number = Number(text);
	if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(number)) throw invalidRecord();
	return number;
}
