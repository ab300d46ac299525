/** An image of one layer as an archive for `POST /images/load`. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageConfig } from "../../../api/oci/image.ts";
import { type Digest, sha256, sha256FromHex } from "../../../base/digest.ts";
import { tarEntry } from "../../../core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../../core/diff/tar-writer.ts";

const CHUNK_BYTES = 1 << 20;

/** A layer's tar on disk, in a file that has no name any more: it goes with the process at the latest. */
export class SpooledLayer implements Disposable {
	readonly #fd: number;

	private constructor(
		fd: number,
		readonly digest: Digest,
		readonly sizeBytes: number,
	) {
		this.#fd = fd;
	}

	static async write(tar: AsyncIterable<Uint8Array>): Promise<SpooledLayer> {
		const path = join(tmpdir(), `gantry-layer-${process.pid}-${Date.now()}`);
		const fd = openSync(path, "wx+", 0o600);
		unlinkSync(path);
		try {
			const hash = createHash("sha256");
			let sizeBytes = 0;
			for await (const chunk of tar) {
				hash.update(chunk);
				for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
				sizeBytes += chunk.length;
			}
			return new SpooledLayer(fd, sha256FromHex(hash.digest("hex")), sizeBytes);
		} catch (error) {
			closeSync(fd);
			throw error;
		}
	}

	*read(): Generator<Uint8Array> {
		for (let offset = 0; offset < this.sizeBytes; ) {
			const chunk = Buffer.alloc(CHUNK_BYTES);
			const count = readSync(this.#fd, chunk, 0, CHUNK_BYTES, offset);
			if (count === 0) throw new Error("the spooled layer is shorter than it was written");
			offset += count;
			yield chunk.subarray(0, count);
		}
	}

	[Symbol.dispose](): void {
		closeSync(this.#fd);
	}
}

export interface ImageDescription {
	/** Of Go's names: `amd64`. */
	readonly architecture: string;
	/** Seconds since the epoch. */
	readonly createdS: number;
	readonly command: readonly string[];
	readonly environment: readonly string[];
	/** What made it, for `history`. */
	readonly createdBy: string;
	/** `debian:bookworm` */
	readonly tags: readonly string[];
}

/** The image's ID and its archive: configuration and manifest first, so that little has to wait for the layer. */
export function imageArchive(
	layer: SpooledLayer,
	image: ImageDescription,
): { readonly id: Digest; readonly archive: AsyncIterable<Uint8Array> } {
	const created = new Date(image.createdS * 1000).toISOString().replace(".000Z", "Z");
	const config: ImageConfig = {
		architecture: image.architecture,
		os: "linux",
		created,
		config: { Env: [...image.environment], Cmd: [...image.command] },
		rootfs: { type: "layers", diff_ids: [layer.digest] },
		history: [{ created, created_by: image.createdBy }],
	};
	const configBytes = Buffer.from(JSON.stringify(config));
	const id = sha256(configBytes);
	const hex = id.slice("sha256:".length);
	const manifest = [{ Config: `${hex}.json`, RepoTags: [...image.tags], Layers: ["layer.tar"] }];
	return { id, archive: members(configBytes, Buffer.from(JSON.stringify(manifest)), hex, layer) };
}

async function* members(
	config: Uint8Array,
	manifest: Uint8Array,
	hex: string,
	layer: SpooledLayer,
): AsyncGenerator<Uint8Array> {
	for (const [name, bytes] of [
		["manifest.json", manifest],
		[`${hex}.json`, config],
	] as const) {
		yield formatTarHeader(tarEntry({ name, type: "file", sizeBytes: bytes.length }));
		yield bytes;
		yield tarPadding(bytes.length);
	}
	yield formatTarHeader(tarEntry({ name: "layer.tar", type: "file", sizeBytes: layer.sizeBytes }));
	yield* layer.read();
	yield tarPadding(layer.sizeBytes);
	yield TAR_END;
}
