/**
 * The contents of a context's files on their way from the client. A record for each file that was asked for:
 *
 *   u32 position in the listing (from 0), u16 permissions, i64 modified ns, i64 changed ns, u64 inode, u64 size,
 *   `size` bytes, u8 verdict
 *
 * little-endian. The client stats the file when it has opened it and again when it has read it; a file that changed in between is sent
 * once more after a record with the verdict `changed`.
 */
import { InvalidParameterError } from "../../base/errors.ts";
import type { FileStamp } from "./context-listing.ts";

/**
 * `recent`: whole, but changed so shortly before that another change might leave the same stamp; it can't be relied upon by the next
 * build.
 */
export const CONTENT_VERDICTS = ["whole", "recent", "changed"] as const;
export type ContentVerdict = (typeof CONTENT_VERDICTS)[number];

export interface ContentHead extends FileStamp {
	/** Of the file in the listing, from 0. */
	readonly position: number;
	readonly permissions: number;
}

export const CONTENT_HEAD_BYTES = 4 + 2 + 8 * 4;

/** @returns where it ends in `buffer` */
export function writeContentHead(buffer: Buffer, at: number, head: ContentHead): number {
	let end = buffer.writeUInt32LE(head.position, at);
	end = buffer.writeUInt16LE(head.permissions, end);
	end = buffer.writeBigInt64LE(head.modifiedNs, end);
	end = buffer.writeBigInt64LE(head.changedNs, end);
	end = buffer.writeBigUInt64LE(head.inode, end);
	return buffer.writeBigUInt64LE(BigInt(head.sizeBytes), end);
}

/** Takes the files as they come. Methods that return promises are waited for. */
export interface ContentReceiver {
	begin(head: ContentHead): void;
	/** Some of the file's bytes, in order. */
	data(bytes: Uint8Array): void | Promise<void>;
	end(verdict: ContentVerdict): void | Promise<void>;
}

/** Reads records from the pieces of a stream. */
export class ContentDecoder {
	#partial: Buffer = Buffer.alloc(0);
	#restBytes = 0;
	#state: "head" | "data" | "verdict" = "head";

	constructor(private readonly receiver: ContentReceiver) {}

	/** @throws InvalidParameterError for an impossible record, and what the receiver throws */
	async push(piece: Uint8Array): Promise<void> {
		let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
		if (this.#partial.length > 0) {
			rest = Buffer.concat([this.#partial, rest]);
			this.#partial = Buffer.alloc(0);
		}
		let at = 0;
		for (;;) {
			if (this.#state === "head") {
				if (rest.length - at < CONTENT_HEAD_BYTES) break;
				const head = readHead(rest, at);
				at += CONTENT_HEAD_BYTES;
				this.receiver.begin(head);
				this.#restBytes = head.sizeBytes;
				this.#state = head.sizeBytes === 0 ? "verdict" : "data";
			} else if (this.#state === "data") {
				if (at === rest.length) break;
				const part = rest.subarray(at, at + this.#restBytes);
				at += part.length;
				this.#restBytes -= part.length;
				if (this.#restBytes === 0) this.#state = "verdict";
				const taken = this.receiver.data(part);
				if (taken !== undefined) await taken;
			} else {
				const byte = rest[at];
				if (byte === undefined) break;
				const verdict = CONTENT_VERDICTS[byte];
				if (verdict === undefined) throw malformed();
				at++;
				this.#state = "head";
				const taken = this.receiver.end(verdict);
				if (taken !== undefined) await taken;
			}
		}
		this.#partial = Buffer.from(rest.subarray(at));
	}

	/** @throws InvalidParameterError when the stream ended inside of a record */
	finish(): void {
		if (this.#state !== "head" || this.#partial.length > 0) throw malformed();
	}
}

function readHead(buffer: Buffer, at: number): ContentHead {
	const sizeBytes = Number(buffer.readBigUInt64LE(at + 30));
	if (!Number.isSafeInteger(sizeBytes)) throw malformed();
	return {
		position: buffer.readUInt32LE(at),
		permissions: buffer.readUInt16LE(at + 4) & 0o7777,
		modifiedNs: buffer.readBigInt64LE(at + 6),
		changedNs: buffer.readBigInt64LE(at + 14),
		inode: buffer.readBigUInt64LE(at + 22),
		sizeBytes,
	};
}

function malformed(): InvalidParameterError {
	return new InvalidParameterError("malformed contents of a build context");
}
