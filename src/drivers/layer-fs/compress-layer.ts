import { createHash } from "node:crypto";
import { sha256FromHex } from "../../base/digest.ts";
import { SystemError } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { CompressedForm, CompressOptions, LayerSource } from "../../core/diff/archiver.ts";
import { assembledBlocks } from "./assembled-tar.ts";
import { diffTar } from "./diff-tar.ts";
import { BLOCK_BYTES, gzipMembers } from "./gzip-members.ts";

/** As `LayerApplier.compress`, on the thread it is called on. */
export async function* compressedLayer(
	content: ContentStore,
	source: LayerSource,
	{ diffId, onRead, onDone }: CompressOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
	const tarHash = createHash("sha256");
	const hash = createHash("sha256");
	let readBytes = 0;
	async function* tar(): AsyncGenerator<Uint8Array> {
		for await (const chunk of layerTar(content, source)) {
			tarHash.update(chunk);
			readBytes += chunk.length;
			yield chunk;
		}
		if (sha256FromHex(tarHash.digest("hex")) !== diffId)
			throw new SystemError(`layer ${diffId} was changed on disk and cannot be pushed`);
	}
	let sizeBytes = 0;
	for await (const member of gzipMembers(tar())) {
		hash.update(member);
		sizeBytes += member.length;
		onRead?.(readBytes);
		yield member;
	}
	onDone({ digest: sha256FromHex(hash.digest("hex")), sizeBytes } satisfies CompressedForm);
}

/** The layer's tar, in pieces that are good until the next one is asked for. */
function layerTar(content: ContentStore, source: LayerSource): AsyncGenerator<Uint8Array> {
	return "assembly" in source
		? assembledBlocks(content, source, new Uint8Array(BLOCK_BYTES))
		: diffTar(source.directory, source.lowers, { directoryTimes: source.directoryTimes });
}
