import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Digest } from "../../base/digest.ts";
import { digestHex } from "../../base/digest.ts";
import { CancelledError, errorKind, errorMessage, InvalidParameterError } from "../../base/errors.ts";
import type { Fetcher, RemoteBlob } from "../../core/remotes/remote.ts";

const BUFFER_BYTES = 1 << 20;

/** A blob's bytes on their way, compared with its digest and size. */
export interface VerifiedStream {
	readonly stream: Readable;
	/** @throws InvalidParameterError unless every byte came and was right */
	check(): void;
	/** So far: every byte came and was right. */
	isRight(): boolean;
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
	const isRight = () => actual === digestHex(digest);
	return {
		stream: Readable.from(bytes(), { objectMode: false, highWaterMark: BUFFER_BYTES }),
		check() {
			if (!isRight()) throw failure();
		},
		isRight,
	};
}

/**
 * Reads a blob from one host after the other until one gives right bytes. What a mirror has of it may be broken or worse; the registry
 * itself is the last to be asked.
 * @param read is called again for the next host. Only its InvalidParameterErrors count as wrong bytes
 * @param mayBeWrong false when the bytes themselves were right, and the failure is another one
 * @throws the first failure, when nobody has right ones
 */
export async function fromAnyHost<T>(
	fetcher: Fetcher,
	digest: Digest,
	read: () => Promise<T>,
	mayBeWrong: () => boolean = () => true,
): Promise<T> {
	let first: unknown;
	for (;;) {
		try {
			return await read();
		} catch (error) {
			if (error instanceof CancelledError) throw error;
			first ??= error;
			const isWrong = errorKind(error) === "invalid-parameter" && mayBeWrong();
			if (!isWrong || !fetcher.distrust(digest, errorMessage(error))) throw first;
		}
	}
}

/** A small blob as a whole; see `fromAnyHost`. @throws InvalidParameterError, RemoteError, CancelledError */
export function readBlob(fetcher: Fetcher, blob: RemoteBlob, signal: AbortSignal): Promise<Uint8Array> {
	return fromAnyHost(fetcher, blob.digest, async () => {
		const parts: Uint8Array[] = [];
		for await (const part of verified(await fetcher.blob(blob, signal), blob).stream) parts.push(part);
		return Buffer.concat(parts);
	});
}
