import { createHash } from "node:crypto";
import { sha256FromHex } from "../../base/digest.ts";
import type { AppliedLayer } from "../../core/diff/archiver.ts";
import { TarChecksum } from "../../core/diff/tar-checksum.ts";

const BUFFER_BYTES = 1 << 16;

/** What tells a tar from others, taken of its bytes as they pass. Small pieces are gathered: a call for each costs more than its bytes. */
export class TarDigest {
	readonly #hash = createHash("sha256");
	readonly #checksum = new TarChecksum();
	readonly #buffer = new Uint8Array(BUFFER_BYTES);
	#filled = 0;
	#sizeBytes = 0;

	/** Bytes so far. */
	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	take(bytes: Uint8Array): void {
		this.#sizeBytes += bytes.length;
		if (this.#filled + bytes.length > BUFFER_BYTES) this.#flush();
		if (bytes.length > BUFFER_BYTES) this.#update(bytes);
		else {
			this.#buffer.set(bytes, this.#filled);
			this.#filled += bytes.length;
		}
	}

	/** To be asked once. */
	finish(): Pick<AppliedLayer, "diffId" | "tarSizeBytes" | "tarChecksum"> {
		this.#flush();
		return {
			diffId: sha256FromHex(this.#hash.digest("hex")),
			tarSizeBytes: this.#sizeBytes,
			tarChecksum: this.#checksum.finish(),
		};
	}

	#flush(): void {
		if (this.#filled > 0) this.#update(this.#buffer.subarray(0, this.#filled));
		this.#filled = 0;
	}

	#update(bytes: Uint8Array): void {
		this.#hash.update(bytes);
		this.#checksum.update(bytes);
	}
}
