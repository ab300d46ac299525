import { SystemError } from "../base/errors.ts";

/**
 * Takes the Engine API's framed stdio apart: records of an 8-byte head (stream 0 to 3, three zero bytes, big-endian length)
 * and as many bytes. Payload is handed on as it comes, without waiting for whole records.
 */
export type StreamName = "stdout" | "stderr";

const HEAD_BYTES = 8;

export class Demultiplexer {
	#head = new Uint8Array(HEAD_BYTES);
	#headBytes = 0;
	#stream = 0;
	#restBytes = 0;

	/** The pieces of payload in `bytes`, in order. @throws SystemError when the framing is broken, or the daemon reports an error in-band */
	*push(bytes: Uint8Array): Generator<[StreamName, Uint8Array]> {
		let offset = 0;
		while (offset < bytes.length) {
			if (this.#restBytes === 0) {
				const count = Math.min(HEAD_BYTES - this.#headBytes, bytes.length - offset);
				this.#head.set(bytes.subarray(offset, offset + count), this.#headBytes);
				this.#headBytes += count;
				offset += count;
				if (this.#headBytes === HEAD_BYTES) this.#startRecord();
				continue;
			}
			const payload = bytes.subarray(offset, offset + this.#restBytes);
			offset += payload.length;
			this.#restBytes -= payload.length;
			if (this.#stream === 3)
				throw new SystemError(`error from daemon in stream: ${new TextDecoder().decode(payload)}`);
			yield [this.#stream === 2 ? "stderr" : "stdout", payload];
		}
	}

	#startRecord(): void {
		const [stream = 0] = this.#head;
		if (stream > 3) throw new SystemError(`Unrecognized input header: ${stream}`);
		this.#stream = stream;
		this.#restBytes = new DataView(this.#head.buffer).getUint32(4);
		this.#headBytes = 0;
	}
}
