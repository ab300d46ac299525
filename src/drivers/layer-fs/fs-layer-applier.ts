import type { Readable } from "node:stream";
import type { FilesystemChange } from "../../api/engine/container.ts";
import type { Digest } from "../../base/digest.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type {
	AppliedLayer,
	ApplyOptions,
	CompressOptions,
	DiffOptions,
	LayerApplier,
	LayerSource,
	MeasuredDiff,
} from "../../core/diff/archiver.ts";
import type { FreshFiles } from "../../core/diff/fresh-files.ts";
import { assembledTar } from "./assembled-tar.ts";
import { changesOf } from "./changes.ts";
import { compressedLayer } from "./compress-layer.ts";
import { decompressed } from "./decompress.ts";
import { diffTar, measureDiff } from "./diff-tar.ts";
import type { LayerWorkers } from "./layer-workers.ts";
import { tarStream } from "./tar-stream.ts";
import { unpackLayer } from "./unpack-layer.ts";

/** What comes in fewer bytes is not worth a thread. */
const SMALL_BYTES = 1 << 18;
const SMALL_TAR_BYTES = 4 << 20;

export interface LayerApplierOptions {
	/** Otherwise threads only compress. */
	readonly unpacksInThreads: boolean;
}

/** Layers between tar and directory; all but small ones on threads of their own, if there are any. */
export class FsLayerApplier implements LayerApplier {
	constructor(
		readonly content: ContentStore,
		readonly workers?: LayerWorkers,
		readonly options: LayerApplierOptions = { unpacksInThreads: true },
	) {}

	async apply(tar: Readable, directory: string, options: ApplyOptions = {}): Promise<AppliedLayer> {
		const source = counted(tar, options.onProgress);
		try {
			const { head, isWhole } = await readAhead(source, SMALL_BYTES);
			const archive = joined(head, source);
			const workers = this.options.unpacksInThreads && !isWhole ? this.workers : undefined;
			return workers === undefined
				? await unpackLayer(this.content, archive, directory, options)
				: await workers.unpack(archive, directory, options);
		} finally {
			tar.destroy();
		}
	}

	decompress(archive: Readable): AsyncIterable<Uint8Array> {
		return decompressed(archive);
	}

	tar(directory: string, assembly: Digest): Readable {
		return tarStream(assembledTar(this.content, directory, assembly));
	}

	prepareCompression(tarSizeBytes: number): void {
		this.#compressorOf(tarSizeBytes)?.prepare();
	}

	compress(source: LayerSource, options: CompressOptions): AsyncIterable<Uint8Array> {
		return (
			this.#compressorOf(options.tar.tarSizeBytes)?.compress(source, options) ??
			compressedLayer(this.content, source, options)
		);
	}

	#compressorOf(tarSizeBytes: number): LayerWorkers | undefined {
		return tarSizeBytes <= SMALL_TAR_BYTES ? undefined : this.workers;
	}

	diff(upper: string, lowers: readonly string[], options: DiffOptions = {}): Readable {
		return tarStream(diffTar(upper, lowers, options));
	}

	measure(upper: string, lowers: readonly string[], fresh?: FreshFiles): Promise<MeasuredDiff> {
		return measureDiff(upper, lowers, fresh);
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

/** The beginning, as far as `bytes` or to the end. */
async function readAhead(
	source: AsyncGenerator<Uint8Array>,
	bytes: number,
): Promise<{ readonly head: readonly Uint8Array[]; readonly isWhole: boolean }> {
	const head: Uint8Array[] = [];
	for (let seen = 0; seen < bytes; ) {
		const next = await source.next();
		if (next.done === true) return { head, isWhole: true };
		head.push(next.value);
		seen += next.value.length;
	}
	return { head, isWhole: false };
}

async function* joined(head: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
	yield* head;
	yield* rest;
}
