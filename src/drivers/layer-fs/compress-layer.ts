import { SystemError } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { CompressOptions, LayerSource } from "../../core/diff/archiver.ts";
import { TarVerifier } from "../../core/diff/tar-checksum.ts";
import { assembledBlocks } from "./assembled-tar.ts";
import { diffTar } from "./diff-tar.ts";
import { BLOCK_BYTES, gzipMembers } from "./gzip-members.ts";

/** As `LayerApplier.compress`, on the thread it is called on. */
export async function* compressedLayer(
	content: ContentStore,
	source: LayerSource,
	{ tar, onRead }: CompressOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
	const verifier = new TarVerifier(tar);
	async function* verified(): AsyncGenerator<Uint8Array> {
		for await (const chunk of layerTar(content, source)) {
			verifier.update(chunk);
			yield chunk;
		}
		if (!verifier.finish()) throw new SystemError(`layer ${tar.diffId} was changed on disk and cannot be pushed`);
	}
	for await (const member of gzipMembers(verified())) {
		onRead?.(verifier.sizeBytes);
		yield member;
	}
}

/** The layer's tar, in pieces that are good until the next one is asked for. */
function layerTar(content: ContentStore, source: LayerSource): AsyncGenerator<Uint8Array> {
	return "assembly" in source
		? assembledBlocks(content, source, new Uint8Array(BLOCK_BYTES))
		: diffTar(source.directory, source.lowers, { directoryTimes: source.directoryTimes });
}
