import { type Digest, sha256 } from "../../../base/digest.ts";
import { InvalidParameterError } from "../../../base/errors.ts";
import type { OutputSink } from "../../../core/build/request.ts";
import { TarReader } from "../../../core/diff/tar-reader.ts";
import type { BlobUpload, ClientContentStore } from "./content-store.ts";

/** What stands for all of a layout: its only manifest or index, or an index of its own. */
export interface LayoutDescriptor {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
}

const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/;
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
/** Of `index.json`. */
const INDEX_LIMIT_BYTES = 4 << 20;

type Part =
	| { readonly kind: "begin"; readonly name: string; readonly sizeBytes: number }
	| { readonly kind: "data"; readonly bytes: Uint8Array }
	| { readonly kind: "end" };

/** Takes an archive of an OCI layout, and puts its blobs into a store of the client's. */
export class LayoutSink implements OutputSink {
	/** What the reader has heard since the last write. */
	#parts: Part[] = [];
	readonly #reader = new TarReader({
		entry: ({ name, sizeBytes }) => void this.#parts.push({ kind: "begin", name, sizeBytes }),
		data: (chunk) => void this.#parts.push({ kind: "data", bytes: Uint8Array.from(chunk) }),
		end: () => void this.#parts.push({ kind: "end" }),
	});
	#upload: BlobUpload | undefined;
	#index: Uint8Array[] | undefined;
	#isIndex = false;

	constructor(
		private readonly store: ClientContentStore,
		/** Hears at the end what the layout has. */
		private readonly onDescriptor: (descriptor: LayoutDescriptor) => void,
	) {}

	async write(data: Uint8Array): Promise<void> {
		this.#reader.push(data);
		const parts = this.#parts;
		this.#parts = [];
		for (const part of parts) await this.#take(part);
	}

	async close(): Promise<void> {
		const isWhole = this.#upload === undefined && this.#index !== undefined;
		this.#upload?.cancel();
		// An archive that was cut off: whoever has cut it off says why.
		if (!isWhole) return;
		this.onDescriptor(await this.#descriptor());
	}

	async #take(part: Part): Promise<void> {
		switch (part.kind) {
			case "begin": {
				const hex = BLOB.exec(part.name)?.[1];
				this.#isIndex = part.name === "index.json" && part.sizeBytes <= INDEX_LIMIT_BYTES;
				if (this.#isIndex) this.#index = [];
				if (hex !== undefined) this.#upload = await this.store.begin(`sha256:${hex}` as Digest, part.sizeBytes);
				return;
			}
			case "data":
				if (this.#isIndex) this.#index?.push(part.bytes);
				await this.#upload?.write(part.bytes);
				return;
			case "end":
				await this.#upload?.commit();
				this.#upload = undefined;
				this.#isIndex = false;
		}
	}

	async #descriptor(): Promise<LayoutDescriptor> {
		const text = Buffer.concat(this.#index ?? []).toString();
		const { manifests } = JSON.parse(text) as { manifests: LayoutDescriptor[] };
		const known = new Map(manifests.map(({ mediaType, digest, size }) => [digest, { mediaType, digest, size }]));
		const [first, ...others] = known.values();
		if (first === undefined) throw new InvalidParameterError("the result has no image");
		if (others.length === 0) return first;
		const bytes = Buffer.from(
			JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [...known.values()] }),
		);
		const digest = sha256(bytes);
		const upload = await this.store.begin(digest, bytes.length);
		await upload?.write(bytes);
		await upload?.commit();
		return { mediaType: INDEX_TYPE, digest, size: bytes.length };
	}
}
