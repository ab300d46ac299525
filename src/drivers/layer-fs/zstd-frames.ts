/**
 * Follows the frames of a zstd stream (RFC 8878, section 3.1) without decoding them, because the decoder takes a stream that was cut off
 * for one that ended.
 */
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MASK = 0xfffffff0;
const SKIPPABLE = 0x184d2a50;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const RLE_BLOCK = 1;

type State = "magic" | "descriptor" | "skippable-size" | "block" | "between";

export class ZstdFrames {
	#state: State = "between";
	/** Bytes of the field being collected. */
	#field: number[] = [];
	#wanted = 0;
	/** Bytes to pass over before the next field. */
	#skip = 0;
	#hasChecksum = false;

	push(chunk: Uint8Array): void {
		for (let position = 0; position < chunk.length; ) {
			if (this.#skip > 0) {
				const count = Math.min(this.#skip, chunk.length - position);
				this.#skip -= count;
				position += count;
				continue;
			}
			if (this.#state === "between") this.#expect("magic", 4);
			this.#field.push(chunk[position++] ?? 0);
			if (this.#field.length === this.#wanted) this.#take();
		}
	}

	/** Whether the stream may end here. */
	get isComplete(): boolean {
		return this.#state === "between" && this.#skip === 0;
	}

	#expect(state: State, bytes: number): void {
		this.#state = state;
		this.#field = [];
		this.#wanted = bytes;
	}

	#take(): void {
		const value = this.#field.reduceRight((sum, byte) => sum * 256 + byte, 0);
		if (this.#state === "magic") this.#takeMagic(value);
		else if (this.#state === "descriptor") this.#takeDescriptor(value);
		else if (this.#state === "skippable-size") {
			this.#skip = value;
			this.#state = "between";
		} else this.#takeBlock(value);
	}

	#takeMagic(value: number): void {
		if ((value & SKIPPABLE_MASK) >>> 0 === SKIPPABLE) this.#expect("skippable-size", 4);
		// Anything else is the decoder's to refuse.
		else this.#expect("descriptor", value === MAGIC ? 1 : Number.POSITIVE_INFINITY);
	}

	#takeDescriptor(descriptor: number): void {
		const singleSegment = (descriptor & 0x20) !== 0;
		const sizeFlag = descriptor >> 6;
		const contentSize = sizeFlag === 0 && singleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
		this.#hasChecksum = (descriptor & 4) !== 0;
		this.#skip = (singleSegment ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + contentSize;
		this.#expect("block", 3);
	}

	#takeBlock(header: number): void {
		const isLast = (header & 1) !== 0;
		const isRepeated = ((header >> 1) & 3) === RLE_BLOCK;
		this.#skip = isRepeated ? 1 : header >> 3;
		if (!isLast) {
			this.#expect("block", 3);
			return;
		}
		if (this.#hasChecksum) this.#skip += 4;
		this.#state = "between";
	}
}
