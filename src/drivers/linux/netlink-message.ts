/** Encoding and decoding of netlink messages and their attributes (RFC 3549; include/uapi/linux/netlink.h). Pure. */

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

export interface NetlinkMessage {
	readonly type: number;
	readonly flags: number;
	readonly sequence: number;
	readonly payload: Buffer;
}

const align = (length: number) => (length + 3) & ~3;

/** A payload being put together: the family's fixed header, then attributes. */
export class NetlinkPayload {
	readonly #parts: Uint8Array[] = [];
	#length = 0;

	constructor(fixed: Uint8Array = new Uint8Array(0)) {
		this.#push(fixed);
	}

	get length(): number {
		return this.#length;
	}

	bytes(type: number, value: Uint8Array): this {
		const header = Buffer.alloc(ATTRIBUTE_HEADER_BYTES);
		header.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + value.length, 0);
		header.writeUInt16LE(type, 2);
		this.#push(header);
		this.#push(value);
		return this;
	}

	/** NUL-terminated. */
	text(type: number, value: string): this {
		return this.bytes(type, Buffer.from(`${value}\0`));
	}

	uint8(type: number, value: number): this {
		return this.bytes(type, Uint8Array.of(value));
	}

	uint16(type: number, value: number): this {
		return this.bytes(type, Uint8Array.of(value & 0xff, value >> 8));
	}

	uint16BigEndian(type: number, value: number): this {
		return this.bytes(type, Uint8Array.of(value >> 8, value & 0xff));
	}

	uint32(type: number, value: number): this {
		const buffer = Buffer.alloc(4);
		buffer.writeUInt32LE(value >>> 0);
		return this.bytes(type, buffer);
	}

	nested(type: number, content: NetlinkPayload): this {
		return this.bytes(type | NESTED, content.encode());
	}

	/** Like `nested`, without the flag: some older families want it so. */
	group(type: number, content: NetlinkPayload): this {
		return this.bytes(type, content.encode());
	}

	encode(): Buffer {
		return Buffer.concat(this.#parts, this.#length);
	}

	#push(part: Uint8Array): void {
		this.#parts.push(part);
		this.#length += part.length;
		const padding = align(this.#length) - this.#length;
		if (padding > 0) {
			this.#parts.push(new Uint8Array(padding));
			this.#length += padding;
		}
	}
}

export function encodeMessage(type: number, flags: number, sequence: number, payload: Uint8Array): Buffer {
	const message = Buffer.alloc(align(HEADER_BYTES + payload.length));
	message.writeUInt32LE(HEADER_BYTES + payload.length, 0);
	message.writeUInt16LE(type, 4);
	message.writeUInt16LE(flags, 6);
	message.writeUInt32LE(sequence, 8);
	message.set(payload, HEADER_BYTES);
	return message;
}

/** The messages of one datagram. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
	const messages: NetlinkMessage[] = [];
	for (let offset = 0; offset + HEADER_BYTES <= datagram.length; ) {
		const length = datagram.readUInt32LE(offset);
		if (length < HEADER_BYTES || offset + length > datagram.length) break;
		messages.push({
			type: datagram.readUInt16LE(offset + 4),
			flags: datagram.readUInt16LE(offset + 6),
			sequence: datagram.readUInt32LE(offset + 8),
			payload: datagram.subarray(offset + HEADER_BYTES, offset + length),
		});
		offset += align(length);
	}
	return messages;
}

/** Attributes by type; of several with one type the last. */
export function decodeAttributes(payload: Buffer, fixedBytes = 0): Map<number, Buffer> {
	const attributes = new Map<number, Buffer>();
	for (let offset = align(fixedBytes); offset + ATTRIBUTE_HEADER_BYTES <= payload.length; ) {
		const length = payload.readUInt16LE(offset);
		if (length < ATTRIBUTE_HEADER_BYTES || offset + length > payload.length) break;
		attributes.set(
			payload.readUInt16LE(offset + 2) & TYPE_MASK,
			payload.subarray(offset + ATTRIBUTE_HEADER_BYTES, offset + length),
		);
		offset += align(length);
	}
	return attributes;
}

/** Text of an attribute without its NUL. */
export function attributeText(value: Buffer | undefined): string | undefined {
	if (value === undefined) return undefined;
	const end = value.indexOf(0);
	return value.subarray(0, end < 0 ? value.length : end).toString();
}
