import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { type Digest, sha256FromHex } from "../../base/digest.ts";
import { invariant, SystemError } from "../../base/errors.ts";
import type { LayerRecord } from "../../core/image/image-record.ts";
import { gzipMembers } from "./gzip-members.ts";

const BUFFER_BYTES = 1 << 20;

/** A layer being compressed for a registry; its digest is known when all of it has been read. */
export class CompressedLayer {
	#digest: Digest | undefined;
	#sizeBytes = 0;

	constructor(
		readonly layer: LayerRecord,
		/** The layer's tar, anew at each call. */
		readonly tar: () => Readable,
	) {}

	get digest(): Digest {
		invariant(this.#digest !== undefined, "a layer's digest is asked for after it was compressed");
		return this.#digest;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/**
	 * From the beginning; the same bytes at each call.
	 * @param onRead hears how much of the tar was read
	 * @throws SystemError from the stream when the files do not give the layer any more
	 */
	open(onRead: (bytes: number) => void): Readable {
		return Readable.from(this.#bytes(onRead), { objectMode: false, highWaterMark: BUFFER_BYTES });
	}

	async *#bytes(onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
		const hash = createHash("sha256");
		let sizeBytes = 0;
		for await (const chunk of gzipMembers(this.#checkedTar(onRead))) {
			hash.update(chunk);
			sizeBytes += chunk.length;
			yield chunk;
		}
		this.#digest = sha256FromHex(hash.digest("hex"));
		this.#sizeBytes = sizeBytes;
	}

	async *#checkedTar(onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
		const hash = createHash("sha256");
		let sizeBytes = 0;
		for await (const chunk of this.tar()) {
			hash.update(chunk);
			sizeBytes += chunk.length;
			onRead(sizeBytes);
			yield chunk;
		}
		if (sha256FromHex(hash.digest("hex")) !== this.layer.diffId)
			throw new SystemError(`layer ${this.layer.diffId} was changed on disk and cannot be pushed`);
	}
}
