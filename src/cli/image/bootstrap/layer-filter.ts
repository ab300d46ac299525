/** Makes a layer's tar of another tar: the same files always give the same bytes, whatever tar wrote them. */
import { InvalidParameterError } from "../../../base/errors.ts";
import { cleanMemberName } from "../../../core/diff/archive-path.ts";
import { type TarEntry, tarEntry } from "../../../core/diff/tar-entry.ts";
import { TarReader, type TarSink } from "../../../core/diff/tar-reader.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../../core/diff/tar-writer.ts";

/** A file to be added at the end. */
export interface AddedFile {
	readonly path: string;
	readonly mode: number;
	readonly content: string;
}

export interface LayerFilterOptions {
	/** Whether the member of that path (no slashes at its ends) stays. */
	readonly keeps: (path: string) => boolean;
	readonly added: readonly AddedFile[];
	/** Nothing in the layer is younger; seconds since the epoch. */
	readonly latestS: number;
}

/** @throws InvalidParameterError for a broken tar */
export async function* filterLayer(
	tar: AsyncIterable<Uint8Array>,
	{ keeps, added, latestS }: LayerFilterOptions,
): AsyncGenerator<Uint8Array> {
	const latestNs = BigInt(latestS) * 1_000_000_000n;
	const sink = new FilterSink(keeps, latestNs);
	const reader = new TarReader(sink);
	for await (const chunk of tar) {
		reader.push(chunk);
		yield* sink.take();
	}
	reader.finish();
	yield* sink.take();
	for (const { path, mode, content } of added) {
		const bytes = Buffer.from(content);
		yield formatTarHeader(tarEntry({ name: path, type: "file", mode, sizeBytes: bytes.length, modifiedNs: latestNs }));
		yield bytes;
		yield tarPadding(bytes.length);
	}
	yield TAR_END;
}

/** Collects what comes of one pushed chunk. */
class FilterSink implements TarSink {
	#pieces: Uint8Array[] = [];
	#sizeBytes = 0;
	#isKept = false;

	constructor(
		private readonly keeps: (path: string) => boolean,
		private readonly latestNs: bigint,
	) {}

	entry(entry: TarEntry): void {
		const path = cleanMemberName(entry.name);
		if (entry.sparse !== undefined) throw new InvalidParameterError(`${path} is a sparse member`);
		this.#isKept = path === "" || this.keeps(path);
		this.#sizeBytes = entry.type === "file" ? entry.sizeBytes : 0;
		if (!this.#isKept) return;
		const isDirectory = entry.type === "directory";
		this.#pieces.push(
			formatTarHeader({
				...entry,
				name: isDirectory ? `${path || "."}/` : path,
				linkName: entry.type === "hard-link" ? cleanMemberName(entry.linkName) : entry.linkName,
				modifiedNs: entry.modifiedNs > this.latestNs ? this.latestNs : wholeSeconds(entry.modifiedNs),
				// IDs are what counts; names would be the build machine's.
				userName: "",
				groupName: "",
			}),
		);
	}

	data(chunk: Uint8Array): void {
		if (this.#isKept) this.#pieces.push(Uint8Array.from(chunk));
	}

	end(): void {
		if (this.#isKept && this.#sizeBytes > 0) this.#pieces.push(tarPadding(this.#sizeBytes));
	}

	take(): Uint8Array[] {
		const pieces = this.#pieces;
		this.#pieces = [];
		return pieces;
	}
}

function wholeSeconds(ns: bigint): bigint {
	return ns - (ns % 1_000_000_000n);
}
