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

	/**
	 * The payload in `bytes`, in order. Records of one stream that follow each other come as one piece, moved together inside `bytes`
	 * itself, which is the caller's no more: thousands of short lines cost one write then.
	 * @throws SystemError when the framing is broken, or the daemon reports an error in-band
	 */
	*push(bytes: Uint8Array): Generator<[StreamName, Uint8Array]> {
		let offset = 0;
		let runStart = 0;
		let runEnd = 0;
		let runName: StreamName = "stdout";
		while (offset < bytes.length) {
			if (this.#restBytes === 0) {
				const count = Math.min(HEAD_BYTES - this.#headBytes, bytes.length - offset);
				this.#head.set(bytes.subarray(offset, offset + count), this.#headBytes);
				this.#headBytes += count;
				offset += count;
				if (this.#headBytes === HEAD_BYTES) this.#startRecord();
				continue;
			}
			const end = Math.min(offset + this.#restBytes, bytes.length);
			this.#restBytes -= end - offset;
			const name = this.#stream === 2 ? "stderr" : "stdout";
			if (this.#stream === 3 || name !== runName || runStart === runEnd) {
				if (runEnd > runStart) yield [runName, bytes.subarray(runStart, runEnd)];
				if (this.#stream === 3) throw daemonError(bytes.subarray(offset, end));
				[runName, runStart, runEnd] = [name, offset, end];
			} else {
				bytes.copyWithin(runEnd, offset, end);
				runEnd += end - offset;
			}
			offset = end;
		}
		if (runEnd > runStart) yield [runName, bytes.subarray(runStart, runEnd)];
	}

	#startRecord(): void {
		const [stream = 0] = this.#head;
		if (stream > 3) throw new SystemError(`Unrecognized input header: ${stream}`);
		this.#stream = stream;
		this.#restBytes = new DataView(this.#head.buffer).getUint32(4);
		this.#headBytes = 0;
	}
}

function daemonError(payload: Uint8Array): SystemError {
	return new SystemError(`error from daemon in stream: ${new TextDecoder().decode(payload)}`);
}
