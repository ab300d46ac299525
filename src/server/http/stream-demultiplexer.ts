const HEADER_BYTES = 8;

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
