/**
 * A streaming tar parser: bytes are pushed in pieces of any size, the sink hears what they mean, synchronously and in order.
 * Nothing in an archive makes it hold more than `META_LIMIT_BYTES` (plus one block) in memory.
 */
import { InvalidParameterError } from "../../base/errors.ts";
import { type SparseRange, TAR_BLOCK_BYTES, type TarEntry, type TarEntryType } from "./tar-entry.ts";
import { invalidHeader, isZeroBlock, parseHeader, type RawHeader } from "./tar-header.ts";
import { type PaxRecord, parsePaxRecords, parsePaxTimeNs, paxNumber, paxText } from "./tar-pax.ts";
import {
	checkSparseRanges,
	type PaxSparse,
	parseOldSparseExtension,
	parseOldSparseHeader,
	parsePaxSparse,
	parseSparseMap,
} from "./tar-sparse.ts";

export interface TarSink {
	/** A member begins. */
	entry(entry: TarEntry): void;
	/** Contents of the member; `offset` is the place in the file (holes are skipped). The bytes are valid during the call only. */
	data(chunk: Uint8Array, offset: number): void;
	/** The member is complete. */
	end(): void;
	/** Every byte of the archive that is not passed to `data`: headers, padding, trailer. Valid during the call only. */
	raw?(bytes: Uint8Array): void;
}

/** Long names, pax records and sparse maps beyond this are hostile. */
const META_LIMIT_BYTES = 1 << 20;

const TYPES: Readonly<Record<string, TarEntryType>> = {
	"0": "file",
	"7": "file",
	S: "file",
	"1": "hard-link",
	"2": "symlink",
	"3": "character-device",
	"4": "block-device",
	"5": "directory",
	"6": "fifo",
};

type State = "header" | "meta" | "sparse-extension" | "sparse-map" | "content" | "padding" | "trailer";

export class TarReader {
	#state: State = "header";
	/** Collects a block or a meta payload that came in pieces. */
	readonly #block = new Uint8Array(TAR_BLOCK_BYTES);
	#filled = 0;
	#meta: Buffer[] = [];
	#metaFlag = "";
	/** Bytes left of the current meta payload, content or padding. */
	#remaining = 0;
	#padding = 0;
	#isPaddingBegun = false;
	#longName: string | undefined;
	#longLink: string | undefined;
	#pax: PaxRecord[] = [];
	#zeroBlocks = 0;
	#pending: PendingEntry | undefined;
	#ranges: readonly SparseRange[] = [];
	#rangeIndex = 0;
	#rangeOffset = 0;
	#mapLines = 0;

	constructor(readonly sink: TarSink) {}

	/** @throws InvalidParameterError for a broken archive, and what the sink throws */
	push(chunk: Uint8Array): void {
		let position = 0;
		while (position < chunk.length) {
			if (this.#state === "content") position += this.#content(chunk, position);
			else if (this.#state === "padding") position += this.#skip(chunk, position);
			else if (this.#state === "trailer") {
				this.sink.raw?.(position === 0 ? chunk : chunk.subarray(position));
				return;
			} else position += this.#collect(chunk, position);
		}
	}

	/** The archive's last byte was pushed. @throws InvalidParameterError when it was cut off */
	finish(): void {
		if (this.#state === "trailer") return;
		// What `docker build -f` sends ends with the last file's last byte.
		if (this.#state === "padding" && !this.#isPaddingBegun) return;
		const clean = this.#state === "header" && this.#filled === 0 && this.#pax.length === 0;
		if (!clean || this.#longName !== undefined || this.#longLink !== undefined) throw unexpectedEnd();
		// Without end blocks is fine: some writers leave them out, and Docker takes an empty stream for an empty archive.
	}

	/** Whole blocks of headers and meta payloads. */
	#collect(chunk: Uint8Array, position: number): number {
		const count = Math.min(TAR_BLOCK_BYTES - this.#filled, chunk.length - position);
		if (count === TAR_BLOCK_BYTES) {
			const block = chunk.subarray(position, position + TAR_BLOCK_BYTES);
			this.sink.raw?.(block);
			this.#takeBlock(block);
			return count;
		}
		this.#block.set(chunk.subarray(position, position + count), this.#filled);
		this.#filled += count;
		if (this.#filled === TAR_BLOCK_BYTES) {
			this.#filled = 0;
			this.sink.raw?.(this.#block);
			this.#takeBlock(this.#block);
		}
		return count;
	}

	#takeBlock(block: Uint8Array): void {
		if (this.#state === "header") this.#takeHeader(block);
		else if (this.#state === "meta") this.#takeMeta(block);
		else if (this.#state === "sparse-extension") this.#takeSparseExtension(block);
		else this.#takeSparseMap(block);
	}

	#takeHeader(block: Uint8Array): void {
		if (isZeroBlock(block)) {
			this.#zeroBlocks++;
			if (this.#zeroBlocks === 2) this.#state = "trailer";
			return;
		}
		if (this.#zeroBlocks > 0) throw invalidHeader();
		const header = parseHeader(block);
		if (header.sizeBytes < 0) throw invalidHeader();
		if ("LKxg".includes(header.typeFlag)) {
			if (header.sizeBytes > META_LIMIT_BYTES) throw new InvalidParameterError("archive/tar: header too large");
			this.#metaFlag = header.typeFlag;
			this.#remaining = header.sizeBytes;
			this.#meta = [];
			this.#state = header.sizeBytes > 0 ? "meta" : "header";
			return;
		}
		this.#beginEntry(header);
	}

	#takeMeta(block: Uint8Array): void {
		const count = Math.min(TAR_BLOCK_BYTES, this.#remaining);
		this.#meta.push(Buffer.from(block.subarray(0, count)));
		this.#remaining -= count;
		if (this.#remaining > 0) return;
		const payload = Buffer.concat(this.#meta);
		this.#meta = [];
		this.#state = "header";
		if (this.#metaFlag === "x") this.#pax = parsePaxRecords(payload);
		else if (this.#metaFlag === "L") this.#longName = paxText(untilNul(payload));
		else if (this.#metaFlag === "K") this.#longLink = paxText(untilNul(payload));
		// Global pax headers ("g") are ignored, as Docker does: git's archives have a comment in them.
	}

	#beginEntry(header: RawHeader): void {
		const pending = applyMeta(header, this.#pax, this.#longName, this.#longLink);
		this.#pax = [];
		this.#longName = undefined;
		this.#longLink = undefined;
		this.#pending = pending;
		this.#padding = paddingOf(pending.payloadBytes);
		if (header.typeFlag === "S") {
			const { ranges, more, realSizeBytes } = parseOldSparseHeader(header.block);
			pending.ranges = ranges;
			pending.realSizeBytes = realSizeBytes;
			if (more) {
				this.#state = "sparse-extension";
				return;
			}
		} else if (pending.paxSparse !== undefined) {
			pending.realSizeBytes = pending.paxSparse.realSizeBytes;
			pending.ranges = pending.paxSparse.ranges;
			if (pending.ranges === undefined) {
				this.#state = "sparse-map";
				return;
			}
		}
		this.#announce(pending);
	}

	#takeSparseExtension(block: Uint8Array): void {
		const pending = this.#pendingEntry();
		const { ranges, more } = parseOldSparseExtension(block);
		pending.ranges?.push(...ranges);
		if ((pending.ranges?.length ?? 0) * 24 > META_LIMIT_BYTES) throw invalidHeader();
		if (!more) this.#announce(pending);
	}

	#takeSparseMap(block: Uint8Array): void {
		const pending = this.#pendingEntry();
		pending.payloadBytes -= TAR_BLOCK_BYTES;
		this.#meta.push(Buffer.from(block));
		if (pending.payloadBytes < 0 || this.#meta.length * TAR_BLOCK_BYTES > META_LIMIT_BYTES) throw invalidHeader();
		for (const byte of block) if (byte === 0x0a) this.#mapLines++;
		const [first] = this.#meta;
		const count = Number.parseInt(first?.toString("latin1", 0, 16) ?? "", 10);
		if (this.#mapLines < 1 + 2 * count) return;
		const ranges = parseSparseMap(Buffer.concat(this.#meta));
		if (ranges === undefined) throw invalidHeader();
		this.#meta = [];
		this.#mapLines = 0;
		pending.ranges = ranges;
		this.#announce(pending);
	}

	#pendingEntry(): PendingEntry {
		if (this.#pending === undefined) throw invalidHeader();
		return this.#pending;
	}

	#announce(pending: PendingEntry): void {
		const { entry, payloadBytes } = pending;
		const isSparse = pending.ranges !== undefined;
		this.#ranges = isSparse
			? checkSparseRanges(pending.ranges ?? [], pending.realSizeBytes, payloadBytes)
			: [{ offset: 0, length: payloadBytes }];
		this.#rangeIndex = 0;
		this.#rangeOffset = 0;
		this.#remaining = payloadBytes;
		this.#pending = undefined;
		this.sink.entry(isSparse ? { ...entry, sizeBytes: pending.realSizeBytes, sparse: this.#ranges } : entry);
		if (payloadBytes > 0) this.#state = "content";
		else this.#endEntry();
	}

	#content(chunk: Uint8Array, position: number): number {
		const range = this.#ranges[this.#rangeIndex];
		if (range === undefined) throw invalidHeader();
		const count = Math.min(range.length - this.#rangeOffset, chunk.length - position);
		this.sink.data(chunk.subarray(position, position + count), range.offset + this.#rangeOffset);
		this.#rangeOffset += count;
		this.#remaining -= count;
		if (this.#rangeOffset === range.length) {
			this.#rangeIndex++;
			this.#rangeOffset = 0;
		}
		if (this.#remaining === 0) this.#endEntry();
		return count;
	}

	#endEntry(): void {
		this.#state = this.#padding > 0 ? "padding" : "header";
		this.#isPaddingBegun = false;
		this.sink.end();
	}

	#skip(chunk: Uint8Array, position: number): number {
		const count = Math.min(this.#padding, chunk.length - position);
		this.sink.raw?.(chunk.subarray(position, position + count));
		this.#padding -= count;
		this.#isPaddingBegun ||= count > 0;
		if (this.#padding === 0) this.#state = "header";
		return count;
	}
}

interface PendingEntry {
	readonly entry: TarEntry;
	/** Bytes of data in the archive. */
	payloadBytes: number;
	realSizeBytes: number;
	ranges: SparseRange[] | undefined;
	readonly paxSparse: PaxSparse | undefined;
}

function applyMeta(
	header: RawHeader,
	records: readonly PaxRecord[],
	longName: string | undefined,
	longLink: string | undefined,
): PendingEntry {
	const pax = new Map(records.map(({ key, value }) => [key, value]));
	const text = (key: string) => {
		const value = pax.get(key);
		return value === undefined || value.length === 0 ? undefined : paxText(value);
	};
	const number = (key: string, fallback: number) => {
		const value = pax.get(key);
		return value === undefined || value.length === 0 ? fallback : paxNumber(value);
	};
	const paxSparse = parsePaxSparse(records);
	const name = paxSparse?.name ?? text("path") ?? longName ?? header.name;
	const type = typeOf(header.typeFlag, name);
	const sizeBytes = type === "file" ? number("size", header.sizeBytes) : 0;
	if (sizeBytes < 0) throw invalidHeader();
	const modified = text("mtime");
	const entry: TarEntry = {
		name,
		type,
		linkName: type === "hard-link" || type === "symlink" ? (text("linkpath") ?? longLink ?? header.linkName) : "",
		mode: header.mode & 0o7777,
		uid: number("uid", header.uid),
		gid: number("gid", header.gid),
		userName: text("uname") ?? header.userName,
		groupName: text("gname") ?? header.groupName,
		sizeBytes,
		modifiedNs: modified === undefined ? BigInt(header.modifiedSeconds) * 1_000_000_000n : parsePaxTimeNs(modified),
		deviceMajor: header.deviceMajor,
		deviceMinor: header.deviceMinor,
		attributes: attributesOf(records),
	};
	return { entry, payloadBytes: sizeBytes, realSizeBytes: sizeBytes, ranges: undefined, paxSparse };
}

/** A V7 archive marks a directory by a trailing slash only. */
function typeOf(flag: string, name: string): TarEntryType {
	const type = TYPES[flag];
	if (type === undefined) throw new InvalidParameterError(`unhandled tar header type ${flag.charCodeAt(0)}`);
	return type === "file" && name.endsWith("/") ? "directory" : type;
}

const ATTRIBUTE_PREFIX = "SCHILY.xattr.";

function attributesOf(records: readonly PaxRecord[]): ReadonlyMap<string, Uint8Array> {
	const attributes = new Map<string, Uint8Array>();
	for (const { key, value } of records)
		if (key.startsWith(ATTRIBUTE_PREFIX)) attributes.set(key.slice(ATTRIBUTE_PREFIX.length), value);
	return attributes;
}

function untilNul(payload: Buffer): Buffer {
	const end = payload.indexOf(0);
	return end < 0 ? payload : payload.subarray(0, end);
}

function paddingOf(sizeBytes: number): number {
	return (TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

function unexpectedEnd(): InvalidParameterError {
	return new InvalidParameterError("unexpected EOF");
}
