/**
 * What a client says its build context has: an entry for each file, parents before what is in them, in a compact form that is the same
 * as long as nothing changes, so that one digest tells whether anything has. An entry is
 *
 *   u8 kind, u32 parent (its position from 1, 0: the root), u16 permissions, i64 modified ns, i64 changed ns, u64 inode,
 *   u64 size (or device number), u16 length, name, and of a symlink u16 length, target
 *
 * little-endian. Names are UTF-8. Owners are not part of it: what a context brings belongs to root until an instruction says otherwise.
 */
import { InvalidParameterError } from "../../base/errors.ts";

export const CONTEXT_ENTRY_KINDS = [
	"file",
	"directory",
	"symlink",
	"fifo",
	"character-device",
	"block-device",
] as const;
export type ContextEntryKind = (typeof CONTEXT_ENTRY_KINDS)[number];

/** What tells one state of a file from another without reading it. */
export interface FileStamp {
	readonly sizeBytes: number;
	/** Nanoseconds since the epoch. */
	readonly modifiedNs: bigint;
	readonly changedNs: bigint;
	readonly inode: bigint;
}

export interface ContextEntry extends FileStamp {
	/** Relative to the context, without slashes at its ends. */
	readonly path: string;
	readonly kind: ContextEntryKind;
	/** 0o7777. */
	readonly permissions: number;
	/** Of a symlink, else empty. */
	readonly target: string;
	/** Of a device node, as stat(2) has it, else 0. */
	readonly device: number;
}

/** What a listing may be at most: some millions of entries. */
export const MAX_LISTING_BYTES = 512 * 1024 * 1024;

const FIXED_BYTES = 1 + 4 + 2 + 8 * 4 + 2;
const FIRST_CAPACITY_BYTES = 64 * 1024;

/** Everything of an entry but its path. */
export type ListedFile = Omit<ContextEntry, "path">;

export class ListingEncoder {
	#buffer = Buffer.allocUnsafe(FIRST_CAPACITY_BYTES);
	#length = 0;
	#count = 0;

	/**
	 * @param parent what `add` gave for the directory, 0 for the root
	 * @returns the entry's position, from 1
	 * @throws InvalidParameterError when the context is too large to be listed
	 */
	add(parent: number, name: string, file: ListedFile): number {
		const most = FIXED_BYTES + 3 * name.length + 2 + 3 * file.target.length;
		if (this.#length + most > this.#buffer.length) this.#grow(most);
		const buffer = this.#buffer;
		let at = this.#length;
		at = buffer.writeUInt8(CONTEXT_ENTRY_KINDS.indexOf(file.kind), at);
		at = buffer.writeUInt32LE(parent, at);
		at = buffer.writeUInt16LE(file.permissions, at);
		at = buffer.writeBigInt64LE(file.modifiedNs, at);
		at = buffer.writeBigInt64LE(file.changedNs, at);
		at = buffer.writeBigUInt64LE(file.inode, at);
		at = buffer.writeBigUInt64LE(BigInt(hasDevice(file.kind) ? file.device : file.sizeBytes), at);
		at = this.#text(name, at);
		if (file.kind === "symlink") at = this.#text(file.target, at);
		this.#length = at;
		this.#count++;
		return this.#count;
	}

	get count(): number {
		return this.#count;
	}

	/** What has been added so far. */
	bytes(): Uint8Array {
		return this.#buffer.subarray(0, this.#length);
	}

	#text(text: string, at: number): number {
		const length = this.#buffer.write(text, at + 2);
		this.#buffer.writeUInt16LE(length, at);
		return at + 2 + length;
	}

	#grow(bytes: number): void {
		const capacity = Math.max(this.#buffer.length * 2, this.#length + bytes);
		if (capacity > 2 * MAX_LISTING_BYTES) throw new InvalidParameterError("the build context has too many files");
		const grown = Buffer.allocUnsafe(capacity);
		grown.set(this.bytes());
		this.#buffer = grown;
	}
}

/**
 * The entries of a listing. Every path is relative, has no `.` or `..` in it, and lies in a directory of the same listing.
 * @throws InvalidParameterError for anything else
 */
export function decodeListing(bytes: Uint8Array): ContextEntry[] {
	const reader = new ListingReader(bytes);
	const entries: ContextEntry[] = [];
	const paths = new Set<string>();
	while (!reader.isAtEnd) {
		const { parent, name, file } = reader.entry();
		const directory = parent === 0 ? undefined : entries[parent - 1];
		if (parent !== 0 && directory?.kind !== "directory") throw malformed();
		if (!isName(name)) throw malformed();
		const path = directory === undefined ? name : `${directory.path}/${name}`;
		if (paths.has(path)) throw malformed();
		paths.add(path);
		entries.push({ path, ...file });
	}
	return entries;
}

class ListingReader {
	readonly #bytes: Buffer;
	#at = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
	}

	get isAtEnd(): boolean {
		return this.#at === this.#bytes.length;
	}

	entry(): { parent: number; name: string; file: ListedFile } {
		const bytes = this.#bytes;
		const at = this.#at;
		if (at + FIXED_BYTES > bytes.length) throw malformed();
		const kind = CONTEXT_ENTRY_KINDS[bytes[at] ?? CONTEXT_ENTRY_KINDS.length];
		if (kind === undefined) throw malformed();
		const size = Number(bytes.readBigUInt64LE(at + 31));
		this.#at = at + 39;
		const name = this.#text();
		const target = kind === "symlink" ? this.#text() : "";
		return {
			parent: bytes.readUInt32LE(at + 1),
			name,
			file: {
				kind,
				permissions: bytes.readUInt16LE(at + 5) & 0o7777,
				modifiedNs: bytes.readBigInt64LE(at + 7),
				changedNs: bytes.readBigInt64LE(at + 15),
				inode: bytes.readBigUInt64LE(at + 23),
				sizeBytes: hasDevice(kind) ? 0 : size,
				device: hasDevice(kind) ? size : 0,
				target,
			},
		};
	}

	#text(): string {
		const bytes = this.#bytes;
		if (this.#at + 2 > bytes.length) throw malformed();
		const start = this.#at + 2;
		const end = start + bytes.readUInt16LE(this.#at);
		if (end > bytes.length) throw malformed();
		this.#at = end;
		return bytes.toString("utf8", start, end);
	}
}

function isName(name: string): boolean {
	return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

function hasDevice(kind: ContextEntryKind): boolean {
	return kind === "character-device" || kind === "block-device";
}

function malformed(): InvalidParameterError {
	return new InvalidParameterError("malformed listing of a build context");
}
