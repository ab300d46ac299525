import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Digest } from "../../base/digest.ts";
import { digestHex } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";

const BUFFER_BYTES = 1 << 20;

/** A blob's bytes on their way, compared with its digest and size. */
export interface VerifiedStream {
	readonly stream: Readable;
	/** @throws InvalidParameterError unless every byte came and was right */
	check(): void;
}

export function verified(
	source: Readable,
	{ digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number },
	onProgress: (bytes: number) => void = () => {},
): VerifiedStream {
	const hash = createHash(digest.slice(0, digest.indexOf(":")));
	let seenBytes = 0;
	let actual: string | undefined;
	const failure = () => new InvalidParameterError(`filesystem layer verification failed for digest ${digest}`);
	async function* bytes(): AsyncGenerator<Uint8Array> {
		for await (const chunk of source) {
			hash.update(chunk);
			seenBytes += chunk.length;
			if (seenBytes > sizeBytes) throw failure();
			onProgress(seenBytes);
			yield chunk;
		}
		actual = hash.digest("hex");
		if (seenBytes !== sizeBytes || actual !== digestHex(digest)) throw failure();
	}
	return {
		stream: Readable.from(bytes(), { objectMode: false, highWaterMark: BUFFER_BYTES }),
		check() {
			if (actual !== digestHex(digest)) throw failure();
		},
	};
}
