import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { type Digest, sha256FromHex } from "../../base/digest.ts";

const BLOCK_BYTES = 1 << 19;

/**
 * Checksum of a tar against damage on the disk: CRC-32 of each block of 512 KiB, and sha256 of these. It takes a fiftieth of the time of
 * sha256 of the whole, and is no proof against somebody who means to deceive.
 */
export class TarChecksum {
	readonly #sums = createHash("sha256");
	#sum = 0;
	#filled = 0;

	update(bytes: Uint8Array): void {
		for (let position = 0; position < bytes.length; ) {
			const count = Math.min(BLOCK_BYTES - this.#filled, bytes.length - position);
			this.#sum = crc32(bytes.subarray(position, position + count), this.#sum);
			this.#filled += count;
			position += count;
			if (this.#filled === BLOCK_BYTES) this.#endBlock();
		}
	}

	/** To be asked once. */
	finish(): Digest {
		if (this.#filled > 0) this.#endBlock();
		return sha256FromHex(this.#sums.digest("hex"));
	}

	#endBlock(): void {
		this.#sums.update(Uint32Array.of(this.#sum));
		this.#sum = 0;
		this.#filled = 0;
	}
}

/** What tells a layer's tar from others. */
export interface TarIdentity {
	readonly diffId: Digest;
	readonly tarSizeBytes: number;
	/** `TarChecksum`'s; undefined for layers made before there were any. */
	readonly tarChecksum?: Digest | undefined;
}

/** Tells, while a layer's tar is made again, whether it is what it was. */
export class TarVerifier {
	readonly #hash: Hash | undefined;
	readonly #checksum = new TarChecksum();
	#sizeBytes = 0;

	constructor(private readonly expected: TarIdentity) {
		this.#hash = expected.tarChecksum === undefined ? createHash("sha256") : undefined;
	}

	/** Bytes so far. */
	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	update(bytes: Uint8Array): void {
		this.#sizeBytes += bytes.length;
		(this.#hash ?? this.#checksum).update(bytes);
	}

	/** Whether it was the same, now that it is over. To be asked once. */
	finish(): boolean {
		const { diffId, tarSizeBytes, tarChecksum } = this.expected;
		if (this.#sizeBytes !== tarSizeBytes) return false;
		return this.#hash === undefined
			? this.#checksum.finish() === tarChecksum
			: sha256FromHex(this.#hash.digest("hex")) === diffId;
	}
}
