const HEADER_BYTES = 8;

const STDOUT = 1;

/** One frame of standard output in the multiplexed framing. */
export function outputFrame(payload: Buffer): Buffer {
	const header = Buffer.alloc(HEADER_BYTES);
	header[0] = STDOUT;
	header.writeUInt32BE(payload.length, 4);
	return Buffer.concat([header, payload]);
}

/** Takes the eight-byte headers of the multiplexed framing away: stdout and stderr in order, undistinguished. */
export class StreamDemultiplexer {
	#header: Buffer = Buffer.alloc(0);
	#remainingBytes = 0;

	push(chunk: Buffer): Buffer[] {
		const parts: Buffer[] = [];
		let rest = chunk;
		while (rest.length > 0) {
			if (this.#remainingBytes === 0) {
				rest = this.#readHeader(rest);
				continue;
			}
			const part = rest.subarray(0, this.#remainingBytes);
			this.#remainingBytes -= part.length;
			parts.push(part);
			rest = rest.subarray(part.length);
		}
		return parts;
	}

	#readHeader(bytes: Buffer): Buffer {
		const missing = HEADER_BYTES - this.#header.length;
		const header = Buffer.concat([this.#header, bytes.subarray(0, missing)]);
		if (header.length < HEADER_BYTES) this.#header = header;
		else {
			this.#remainingBytes = header.readUInt32BE(4);
			this.#header = Buffer.alloc(0);
		}
		return bytes.subarray(missing);
	}
}
