import type { Digest } from "../../base/digest.ts";
import { invariant } from "../../base/errors.ts";
import type { CompressedForm, CompressOptions } from "../../core/diff/archiver.ts";

/** A layer being compressed for a registry; its digest is known when all of it has been read. */
export class CompressedLayer {
	#form: CompressedForm | undefined;

	constructor(
		/** As `LayerRegistry.compress`, anew at each call. */
		readonly compress: (options: Pick<CompressOptions, "onRead" | "onDone">) => AsyncIterable<Uint8Array>,
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
	open(onRead: (bytes: number) => void): AsyncIterable<Uint8Array> {
		return this.compress({
			onRead,
			onDone: (form) => {
				this.#form = form;
			},
		});
	}

	#done(): CompressedForm {
		invariant(this.#form !== undefined, "a layer's digest is asked for after it was compressed");
		return this.#form;
	}
}
