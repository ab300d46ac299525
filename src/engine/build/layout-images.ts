import type { Descriptor, ImageConfig, Platform } from "../../api/oci/image.ts";
import { type Digest, digestHex, isDigest, sha256 } from "../../base/digest.ts";
import { InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import type { BuildFiles } from "../../core/build/build-directories.ts";
import type { BuildContext } from "../../core/build/context.ts";
import { type ArchivedImage, imageOfManifest, parseIndexOrManifest } from "../../core/image/archive-manifest.ts";
import { chainId } from "../../core/image/chain-id.ts";
import { parseImageConfig } from "../../core/image/parse-image-config.ts";
import { formatPlatform, suitsPlatform } from "../../core/image/platform.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";

export interface LayoutImagesDependencies {
	readonly layers: LayerRegistry;
	readonly files: BuildFiles;
}

/** An image of an OCI layout whose layers are here now. It is in no image store. */
export interface LayoutImage {
	readonly id: Digest;
	readonly config: ImageConfig;
	readonly chainId: Digest | undefined;
	readonly manifest: Digest;
}

interface FoundImage extends ArchivedImage {
	readonly id: Digest;
	readonly document: ImageConfig;
	readonly manifest: Digest;
}

const JSON_LIMIT_BYTES = 8 << 20;
/** Indexes may hold indexes; nobody nests them deeper. */
const INDEX_DEPTH_LIMIT = 4;
/** More images than any layout of a build has. */
const IMAGE_LIMIT = 1000;

/** Images in a client's directory that is an OCI layout. Nothing in it is trusted: every document is compared with its digest. */
export class LayoutImages {
	constructor(
		private readonly deps: LayoutImagesDependencies,
		private readonly context: BuildContext,
		private readonly platform: Platform,
	) {}

	/**
	 * The image by its tag or digest; without either the only one, or the first that suits the platform.
	 * @throws NotFoundError, InvalidParameterError
	 */
	async image(wanted: string, lease: LayerLease, signal: AbortSignal): Promise<LayoutImage> {
		const [found] = await this.#find(wanted);
		if (found === undefined)
			throw new NotFoundError(
				`the OCI layout has no image${wanted === "" ? "" : ` ${wanted}`} for ${formatPlatform(this.platform)}`,
			);
		return await this.#load(found, lease, signal);
	}

	/** All images for the platform. @throws NotFoundError, InvalidParameterError */
	async *all(lease: LayerLease, signal: AbortSignal): AsyncGenerator<LayoutImage> {
		for (const found of await this.#find("")) yield await this.#load(found, lease, signal);
	}

	async #find(wanted: string): Promise<FoundImage[]> {
		const bytes = await this.context.readFile("index.json", JSON_LIMIT_BYTES);
		if (bytes === undefined) throw new NotFoundError("could not read index.json: no such file or directory");
		const index = parseIndexOrManifest(bytes, "index.json");
		if (!("manifests" in index)) throw new InvalidParameterError("index.json is no image index");
		const found: FoundImage[] = [];
		for (const descriptor of index.manifests)
			if (wanted === "" || isCalled(descriptor, wanted)) await this.#collect(descriptor, 1, found);
		return found;
	}

	async #collect(descriptor: Descriptor, depth: number, found: FoundImage[]): Promise<void> {
		if (descriptor.annotations?.["vnd.docker.reference.type"] !== undefined || found.length >= IMAGE_LIMIT) return;
		if (depth > INDEX_DEPTH_LIMIT) throw new InvalidParameterError("invalid OCI layout: indexes nested too deeply");
		const parsed = parseIndexOrManifest(await this.#blob(descriptor.digest), descriptor.digest);
		if ("manifests" in parsed) {
			for (const child of parsed.manifests) await this.#collect(child, depth + 1, found);
			return;
		}
		const image = imageOfManifest(parsed, []);
		const id = parsed.config.digest;
		const document = parseImageConfig(await this.#blob(id));
		if (!suitsPlatform(this.platform, document)) return;
		if (found.every((other) => other.id !== id)) found.push({ ...image, id, document, manifest: descriptor.digest });
	}

	async #load(
		{ id, document, layers, manifest }: FoundImage,
		lease: LayerLease,
		signal: AbortSignal,
	): Promise<LayoutImage> {
		const diffIds = document.rootfs.diff_ids;
		if (diffIds.length !== layers.length || !diffIds.every(isDigest) || !layers.every(isDigest))
			throw new InvalidParameterError("invalid OCI layout: the layers are not those of the configuration");
		let top: Digest | undefined;
		const missing: { readonly parent: Digest | undefined; readonly diffId: Digest; readonly path: string }[] = [];
		for (const [at, diffId] of diffIds.entries()) {
			const parent = top;
			top = chainId(parent, diffId);
			// Held before it is looked for: nobody takes it away in between.
			lease.hold(top);
			if (this.deps.layers.get(top) === undefined)
				missing.push({ parent, diffId, path: blobPath(layers[at] as Digest) });
		}
		if (missing.length > 0) {
			const include = [...new Set(missing.map(({ path }) => path))];
			await using tree = await this.context.sync({ include, exclude: [] }, signal);
			for (const { parent, diffId, path } of missing) {
				signal.throwIfAborted();
				const open = () => this.deps.files.openFile(tree.directory, path);
				await this.deps.layers.unpack({ parent, diffId, open, isDeferred: true }, lease);
			}
			await this.deps.layers.flush();
		}
		return { id, config: document, chainId: top, manifest };
	}

	async #blob(digest: Digest): Promise<Uint8Array> {
		const bytes = await this.context.readFile(blobPath(digest), JSON_LIMIT_BYTES);
		if (bytes === undefined) throw new NotFoundError(`invalid OCI layout: ${digest} is missing`);
		if (sha256(bytes) !== digest) throw new InvalidParameterError(`invalid OCI layout: ${digest} is damaged`);
		return bytes;
	}
}

/** By digest, by the tag alone, or by a whole name. */
function isCalled({ digest, annotations }: Descriptor, wanted: string): boolean {
	const names = ["org.opencontainers.image.ref.name", "io.containerd.image.name"].map(
		(key) => annotations?.[key] ?? "",
	);
	return wanted === digest || names.some((name) => name === wanted || name.endsWith(`:${wanted}`));
}

function blobPath(digest: Digest): string {
	return `blobs/sha256/${digestHex(digest)}`;
}
