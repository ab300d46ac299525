import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { FilesystemChange } from "../../api/engine/container.ts";
import { type Digest, sha256FromHex } from "../../base/digest.ts";
import { EngineError, errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import { Pacer, pieces } from "../../base/pacer.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { AppliedLayer, ApplyOptions, DiffOptions, LayerApplier, MeasuredDiff } from "../../core/diff/archiver.ts";
import { TarReader } from "../../core/diff/tar-reader.ts";
import { assembledTar } from "./assembled-tar.ts";
import { AssemblyBlob } from "./assembly-blob.ts";
import { changesOf } from "./changes.ts";
import { decompressed } from "./decompress.ts";
import { diffTar, measureDiff } from "./diff-tar.ts";
import { LayerWriter } from "./layer-writer.ts";
import { tarStream } from "./tar-stream.ts";

/** Layers between tar and directory, on the main thread in slices of a few milliseconds; decompression runs on pool threads. */
export class FsLayerApplier implements LayerApplier {
	constructor(readonly content: ContentStore) {}

	async apply(tar: Readable, directory: string, options: ApplyOptions = {}): Promise<AppliedLayer> {
		const hash = createHash("sha256");
		const writer = LayerWriter.open(directory);
		const blob = await AssemblyBlob.open(this.content);
		try {
			const reader = new TarReader(writer);
			const pacer = new Pacer();
			let tarSizeBytes = 0;
			const limitBytes = options.tarLimitBytes ?? Number.POSITIVE_INFINITY;
			for await (const chunk of decompressed(counted(tar, options.onProgress))) {
				if (tarSizeBytes + chunk.length > limitBytes)
					throw new InvalidParameterError(`layer unpacks to more than ${limitBytes} bytes`);
				for (const piece of pieces(chunk)) {
					hash.update(piece);
					reader.push(piece);
					await pacer.pause();
				}
				tarSizeBytes += chunk.length;
				await blob.write(writer.assembly.take());
			}
			reader.finish();
			writer.finish();
			const diffId = sha256FromHex(hash.digest("hex"));
			if (options.diffId !== undefined && diffId !== options.diffId)
				throw new InvalidParameterError(`invalid diffID for layer: expected "${options.diffId}", got "${diffId}"`);
			const assembly = await blob.commit(writer.assembly.finish());
			return {
				diffId,
				tarSizeBytes,
				contentSizeBytes: writer.contentSizeBytes,
				inodes: writer.inodes,
				assembly,
			};
		} catch (error) {
			await blob.abort();
			if (error instanceof EngineError || isAbort(error)) throw error;
			throw new SystemError(`failed to unpack a layer: ${errorMessage(error)}`, { cause: error });
		} finally {
			writer.close();
			tar.destroy();
		}
	}

	decompress(archive: Readable): AsyncIterable<Uint8Array> {
		return decompressed(archive);
	}

	tar(directory: string, assembly: Digest): Readable {
		return Readable.from(assembledTar(this.content, directory, assembly), { objectMode: false });
	}

	diff(upper: string, lowers: readonly string[], options: DiffOptions = {}): Readable {
		return tarStream(diffTar(upper, lowers, options.wholeTree === true));
	}

	measure(upper: string, lowers: readonly string[]): Promise<MeasuredDiff> {
		return measureDiff(upper, lowers);
	}

	changes(upper: string, lowers: readonly string[], options: DiffOptions = {}): Promise<FilesystemChange[]> {
		return changesOf(upper, lowers, options.wholeTree === true);
	}
}

async function* counted(
	source: AsyncIterable<Uint8Array>,
	onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
	let bytes = 0;
	for await (const chunk of source) {
		bytes += chunk.length;
		onProgress?.(bytes);
		yield chunk;
	}
}

function isAbort(error: unknown): boolean {
	return error instanceof Error && error.name === "AbortError";
}
