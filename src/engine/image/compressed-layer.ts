import { createHash } from "node:crypto";
import { type Digest, sha256FromHex } from "../../base/digest.ts";
import { invariant } from "../../base/errors.ts";
import type { CompressOptions } from "../../core/diff/archiver.ts";

/** A layer as a registry gets it. */
interface CompressedForm {
	readonly digest: Digest;
	readonly sizeBytes: number;
}

/** A layer being compressed for a registry; its digest is known when all of it has been read. */
export class CompressedLayer {
	#form: CompressedForm | undefined;

	constructor(
		/** As `LayerRegistry.compress`, anew at each call. */
		readonly compress: (options: Pick<CompressOptions, "onRead">) => AsyncIterable<Uint8Array>,
	) {}

	get digest(): Digest {
		return this.#done().digest;
	}

	get sizeBytes(): number {
		return this.#done().sizeBytes;
	}

	/**
	 * From the beginning; the same bytes at each call.
	 * @param onRead hears how much of the tar was read
	 * @throws SystemError from the iteration when the files do not give the layer any more
	 */
	async *open(onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
		const hash = createHash("sha256");
		let sizeBytes = 0;
		for await (const piece of this.compress({ onRead })) {
			hash.update(piece);
			sizeBytes += piece.length;
			yield piece;
		}
		this.#form = { digest: sha256FromHex(hash.digest("hex")), sizeBytes };
	}

	#done(): CompressedForm {
		invariant(this.#form !== undefined, "a layer's digest is asked for after it was compressed");
		return this.#form;
	}
}
