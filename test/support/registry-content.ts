/** Puts images of every kind into a registry, piece by piece over the protocol, as no tool of ours would make them. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "./registry-server.ts";
import { tarOf } from "./tar-builder.ts";

export type Compression = "gzip" | "zstd" | "none";
export type Form = "oci" | "docker";

export interface Stored {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
	readonly [field: string]: unknown;
}

export interface LayerSpec {
	/** The tar itself, or the files in it. */
	readonly tar?: Uint8Array;
	readonly files?: Readonly<Record<string, string>>;
	readonly compression?: Compression;
	/** The layer lies at this address, not in the registry. */
	readonly url?: string;
}

export interface ImageSpec {
	readonly form?: Form;
	readonly layers: readonly LayerSpec[];
	readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
	readonly command?: readonly string[];
}

const DOCKER = "application/vnd.docker";
const OCI = "application/vnd.oci.image";

export const TYPES = {
	oci: { index: `${OCI}.index.v1+json`, manifest: `${OCI}.manifest.v1+json`, config: `${OCI}.config.v1+json` },
	docker: {
		index: `${DOCKER}.distribution.manifest.list.v2+json`,
		manifest: `${DOCKER}.distribution.manifest.v2+json`,
		config: `${DOCKER}.container.image.v1+json`,
	},
} as const;

const LAYER_TYPES = {
	oci: { none: `${OCI}.layer.v1.tar`, gzip: `${OCI}.layer.v1.tar+gzip`, zstd: `${OCI}.layer.v1.tar+zstd` },
	docker: {
		none: `${DOCKER}.image.rootfs.diff.tar`,
		gzip: `${DOCKER}.image.rootfs.diff.tar.gzip`,
		zstd: `${DOCKER}.image.rootfs.diff.tar.zstd`,
	},
} as const;

export const FOREIGN_TYPE = `${DOCKER}.image.rootfs.foreign.diff.tar.gzip`;

export function compress(tar: Uint8Array, compression: Compression): Uint8Array {
	if (compression === "gzip") return gzipSync(tar);
	return compression === "zstd" ? zstdCompressSync(tar) : tar;
}

/** One repository. */
export class RegistryContent {
	constructor(
		readonly url: string,
		readonly repository: string,
	) {}

	async blob(bytes: Uint8Array | string, mediaType: string): Promise<Stored> {
		const digest = digestOf(bytes);
		const start = await fetch(`${this.url}/v2/${this.repository}/blobs/uploads/`, { method: "POST" });
		const target = new URL(start.headers.get("location") ?? "", this.url);
		target.searchParams.set("digest", digest);
		const stored = await fetch(target, { method: "PUT", body: bytes });
		if (stored.status !== 201) throw new Error(`storing a blob: ${stored.status} ${await stored.text()}`);
		return { mediaType, digest, size: Buffer.byteLength(bytes) };
	}

	/** @param reference a tag; only by its digest when undefined */
	async manifest(document: object, mediaType: string, reference?: string): Promise<Stored> {
		const text = JSON.stringify(document);
		const digest = digestOf(text);
		const response = await fetch(`${this.url}/v2/${this.repository}/manifests/${reference ?? digest}`, {
			method: "PUT",
			headers: { "Content-Type": mediaType },
			body: text,
		});
		if (response.status !== 201) throw new Error(`storing a manifest: ${response.status} ${await response.text()}`);
		return { mediaType, digest, size: text.length };
	}

	async image(spec: ImageSpec, reference?: string): Promise<Stored> {
		const { form = "oci", platform = { os: "linux", architecture: "amd64" }, command = ["/bin/sh"] } = spec;
		const tars = spec.layers.map(({ tar, files = {} }) => {
			return tar ?? tarOf(...Object.entries(files).map(([name, content]) => ({ name, content })));
		});
		const layers: Stored[] = [];
		for (const [at, { compression = "gzip", url }] of spec.layers.entries()) {
			const bytes = compress(tars[at] ?? new Uint8Array(), compression);
			const mediaType = url === undefined ? LAYER_TYPES[form][compression] : FOREIGN_TYPE;
			layers.push(
				url === undefined
					? await this.blob(bytes, mediaType)
					: { mediaType, digest: digestOf(bytes), size: bytes.length, urls: [url] },
			);
		}
		const config = JSON.stringify({
			...platform,
			config: { Cmd: command },
			rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
		});
		const types = TYPES[form];
		const document = {
			schemaVersion: 2,
			mediaType: types.manifest,
			config: await this.blob(config, types.config),
			layers,
		};
		return { ...(await this.manifest(document, types.manifest, reference)), platform };
	}

	async index(manifests: readonly object[], reference?: string, form: Form = "oci"): Promise<Stored> {
		const mediaType = TYPES[form].index;
		return await this.manifest({ schemaVersion: 2, mediaType, manifests }, mediaType, reference);
	}
}
