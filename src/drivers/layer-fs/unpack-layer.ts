import { EngineError, errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import { Pacer, pieces } from "../../base/pacer.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { AppliedLayer, ApplyOptions } from "../../core/diff/archiver.ts";
import { TarReader } from "../../core/diff/tar-reader.ts";
import { AssemblyBlob } from "./assembly-blob.ts";
import { decompressed } from "./decompress.ts";
import { LayerWriter } from "./layer-writer.ts";
import { TarDigest } from "./tar-digest.ts";

/** Source and result of `LayerApplier.apply`, on the thread it is called on, in slices of a few milliseconds; decompression runs on pool threads. */
export async function unpackLayer(
	content: ContentStore,
	archive: AsyncIterable<Uint8Array>,
	directory: string,
	{ diffId: expected, tarLimitBytes: limitBytes = Number.POSITIVE_INFINITY }: Omit<ApplyOptions, "onProgress">,
): Promise<AppliedLayer> {
	const digest = new TarDigest();
	const writer = LayerWriter.open(directory);
	const blob = await AssemblyBlob.open(content);
	try {
		const reader = new TarReader(writer);
		const pacer = new Pacer();
		for await (const chunk of decompressed(archive)) {
			if (digest.sizeBytes + chunk.length > limitBytes)
				throw new InvalidParameterError(`layer unpacks to more than ${limitBytes} bytes`);
			for (const piece of pieces(chunk)) {
				digest.take(piece);
				reader.push(piece);
				await pacer.pause();
			}
			await blob.write(writer.assembly.take());
		}
		reader.finish();
		writer.finish();
		const tar = digest.finish();
		if (expected !== undefined && tar.diffId !== expected)
			throw new InvalidParameterError(`invalid diffID for layer: expected "${expected}", got "${tar.diffId}"`);
		const assembly = await blob.commit(writer.assembly.finish());
		const { contentSizeBytes, inodes } = writer;
		return { ...tar, contentSizeBytes, inodes, assembly };
	} catch (error) {
		await blob.abort();
		if (error instanceof EngineError || isAbort(error)) throw error;
		throw new SystemError(`failed to unpack a layer: ${errorMessage(error)}`, { cause: error });
	} finally {
		writer.close();
	}
}

function isAbort(error: unknown): boolean {
	return error instanceof Error && error.name === "AbortError";
}
