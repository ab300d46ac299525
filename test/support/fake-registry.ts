/** A registry in memory that misbehaves as told, for tests. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { type Digest, sha256 } from "../../src/base/digest.ts";
import { tarOf } from "./tar-builder.ts";

export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface FakeImage {
	readonly manifest: Record<string, unknown>;
	readonly config: Digest;
	readonly layers: readonly Digest[];
}

export class FakeRegistry implements AsyncDisposable {
	readonly blobs = new Map<string, Buffer>();
	readonly manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
	/** `GET /v2/…`, with the range. */
	readonly requests: string[] = [];
	readonly authorizations: (string | undefined)[] = [];
	/** Asked first; true: it has answered. */
	misbehave: Misbehaviour = () => false;
	readonly #server: Server = createServer((request, response) => void this.#answer(request, response));

	static async open(): Promise<FakeRegistry> {
		const registry = new FakeRegistry();
		await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
		return registry;
	}

	get host(): string {
		return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	addBlob(bytes: Buffer): Digest {
		const digest = sha256(bytes);
		this.blobs.set(digest, bytes);
		return digest;
	}

	addManifest(reference: string, manifest: unknown): Digest {
		const bytes = Buffer.from(JSON.stringify(manifest));
		const type = (manifest as { mediaType: string }).mediaType;
		for (const name of [reference, sha256(bytes)]) this.manifests.set(name, { type, bytes });
		return sha256(bytes);
	}

	/** An image of layers with these files. */
	addImage(tag: string, layers: readonly Record<string, string>[], architecture = "amd64"): FakeImage {
		const tars = layers.map((files) => tarOf(...Object.entries(files).map(([name, content]) => ({ name, content }))));
		const blobs = tars.map((tar) => gzipSync(tar));
		const config = Buffer.from(
			JSON.stringify({
				architecture,
				os: "linux",
				config: {},
				rootfs: { type: "layers", diff_ids: tars.map((tar) => sha256(tar)) },
			}),
		);
		const manifest = {
			schemaVersion: 2,
			mediaType: "application/vnd.oci.image.manifest.v1+json",
			config: {
				mediaType: "application/vnd.oci.image.config.v1+json",
				digest: this.addBlob(config),
				size: config.length,
			},
			layers: blobs.map((blob) => ({
				mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
				digest: this.addBlob(blob),
				size: blob.length,
			})),
		};
		this.addManifest(tag, manifest);
		return { manifest, config: manifest.config.digest, layers: manifest.layers.map(({ digest }) => digest) };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const { range, authorization } = request.headers;
		this.requests.push(`${request.method} ${request.url}${range === undefined ? "" : ` ${range}`}`);
		this.authorizations.push(authorization);
		if (await this.misbehave(request, response)) return;
		const [, kind, name = ""] = /^\/v2\/.+\/(manifests|blobs)\/([^?]+)/.exec(request.url ?? "") ?? [];
		const manifest = kind === "manifests" ? this.manifests.get(name) : undefined;
		const blob = kind === "blobs" ? this.blobs.get(name) : undefined;
		if (manifest !== undefined) response.writeHead(200, { "Content-Type": manifest.type }).end(manifest.bytes);
		else if (blob !== undefined) sendBlob(response, blob, range);
		else
			response
				.writeHead(404)
				.end(JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] }));
	}
}

export function sendBlob(response: ServerResponse, blob: Buffer, range: string | undefined): void {
	const start = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
	if (start === 0) response.writeHead(200, { "Content-Length": blob.length }).end(blob);
	else
		response
			.writeHead(206, {
				"Content-Length": blob.length - start,
				"Content-Range": `bytes ${start}-${blob.length - 1}/${blob.length}`,
			})
			.end(blob.subarray(start));
}
