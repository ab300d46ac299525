/** Splits the monitor's multiplexed output into its streams. */
import { FRAME_HEADER_BYTES } from "../../core/log/output-frame.ts";

export interface OutputPart {
	readonly stream: 1 | 2;
	readonly data: Uint8Array;
}

export class OutputFrames {
	#header: Buffer = Buffer.alloc(0);
	#stream: 1 | 2 = 1;
	#remainingBytes = 0;

	push(chunk: Buffer): OutputPart[] {
		const parts: OutputPart[] = [];
		let rest = chunk;
		while (rest.length > 0) {
			if (this.#remainingBytes === 0) {
				rest = this.#readHeader(rest);
				continue;
			}
			const data = rest.subarray(0, this.#remainingBytes);
			this.#remainingBytes -= data.length;
			parts.push({ stream: this.#stream, data });
			rest = rest.subarray(data.length);
		}
		return parts;
	}

	#readHeader(bytes: Buffer): Buffer {
		const missing = FRAME_HEADER_BYTES - this.#header.length;
		const header = Buffer.concat([this.#header, bytes.subarray(0, missing)]);
		if (header.length < FRAME_HEADER_BYTES) this.#header = header;
		else {
			this.#stream = header[0] === 2 ? 2 : 1;
			this.#remainingBytes = header.readUInt32BE(4);
			this.#header = Buffer.alloc(0);
		}
		return bytes.subarray(missing);
	}
}
