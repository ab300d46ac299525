/** gRPC's framing of messages on a stream: u8 compressed, u32 length (big-endian), bytes. */
import { InvalidParameterError, NotImplementedError } from "../../base/errors.ts";

const HEAD_BYTES = 5;
/** BuildKit's limit, too. */
const MAX_MESSAGE_BYTES = 16 << 20;

export function frameMessage(message: Uint8Array): Buffer {
	const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
	frame[0] = 0;
	frame.writeUInt32BE(message.length, 1);
	frame.set(message, HEAD_BYTES);
	return frame;
}

/** Messages from the pieces of a stream, however they are cut. */
export class MessageDecoder {
	#parts: Buffer[] = [];
	#bytes = 0;
	/** What the first part must be for the next step: a head, or a head with its message. */
	#wantedBytes = HEAD_BYTES;

	push(piece: Uint8Array): void {
		this.#parts.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
		this.#bytes += piece.length;
	}

	/**
	 * The next whole message, undefined when there is none yet. A view of what was pushed.
	 * @throws InvalidParameterError for one that is too large, NotImplementedError for one that is compressed
	 */
	next(): Uint8Array | undefined {
		for (;;) {
			if (this.#bytes < this.#wantedBytes) return undefined;
			const first = this.#first();
			const length = first.readUInt32BE(1);
			if (first[0] !== 0) throw new NotImplementedError("compressed messages are not supported");
			if (length > MAX_MESSAGE_BYTES)
				throw new InvalidParameterError(`message of ${length} bytes is larger than ${MAX_MESSAGE_BYTES}`);
			const end = HEAD_BYTES + length;
			if (this.#wantedBytes < end) {
				this.#wantedBytes = end;
				continue;
			}
			this.#parts[0] = first.subarray(end);
			this.#bytes -= end;
			this.#wantedBytes = HEAD_BYTES;
			return first.subarray(HEAD_BYTES, end);
		}
	}

	/** @throws InvalidParameterError when the stream ended inside of a message */
	finish(): void {
		if (this.#bytes > 0) throw new InvalidParameterError("the stream ended inside of a message");
	}

	/** The first part, joined with others until it has what is wanted. */
	#first(): Buffer {
		const [first] = this.#parts;
		if (first !== undefined && first.length >= this.#wantedBytes) return first;
		const joined = Buffer.concat(this.#parts);
		this.#parts = [joined];
		return joined;
	}
}
