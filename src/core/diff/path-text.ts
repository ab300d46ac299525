/**
 * File names are bytes, most of them UTF-8. As text, a byte that is not part of valid UTF-8 becomes the lone surrogate
 * U+DC80 + (byte - 0x80), so that every name survives a round trip and the usual ones read as what they are.
 */
const ESCAPE_BASE = 0xdc00;
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decodePath(bytes: Uint8Array): string {
	const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const text = buffer.toString("utf8");
	if (!text.includes("\ufffd")) return text;
	try {
		return strictDecoder.decode(bytes);
	} catch {
		// Not UTF-8 as a whole: go by pieces.
		return decodeWithEscapes(buffer);
	}
}

function decodeWithEscapes(buffer: Buffer): string {
	let text = "";
	for (let position = 0; position < buffer.length; ) {
		const length = sequenceLength(buffer, position);
		text +=
			length === 0
				? String.fromCharCode(ESCAPE_BASE + (buffer[position] ?? 0))
				: buffer.toString("utf8", position, position + length);
		position += Math.max(length, 1);
	}
	return text;
}

/** Length of the valid UTF-8 sequence at `position`, 0 when there is none. */
function sequenceLength(buffer: Buffer, position: number): number {
	const lead = buffer[position] ?? 0;
	if (lead < 0x80) return 1;
	const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	try {
		if (position + length > buffer.length) return 0;
		return strictDecoder.decode(buffer.subarray(position, position + length)) === "" ? 0 : length;
	} catch {
		// Malformed.
		return 0;
	}
}

export function encodePath(text: string): Buffer {
	if (text.isWellFormed()) return Buffer.from(text, "utf8");
	const parts: Buffer[] = [];
	for (const character of text) {
		const code = character.codePointAt(0) ?? 0;
		const escaped = code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff;
		parts.push(escaped ? Buffer.from([code - ESCAPE_BASE]) : Buffer.from(character, "utf8"));
	}
	return Buffer.concat(parts);
}
