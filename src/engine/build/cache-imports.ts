import type { ImageConfig, Platform } from "../../api/oci/image.ts";
import { errorKind } from "../../base/errors.ts";
import type { BuildFiles } from "../../core/build/build-directories.ts";
import type { BuildContext } from "../../core/build/context.ts";
import { inlineCacheOf } from "../../core/build/inline-cache.ts";
import type { CacheSource } from "../../core/build/request.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";
import type { BaseImages } from "./base-images.ts";
import type { BuildCache, CacheLease } from "./build-cache.ts";
import { LayoutImages } from "./layout-images.ts";

export interface CacheImportContext {
	readonly cache: BuildCache;
	readonly layers: LayerRegistry;
	readonly files: BuildFiles;
	readonly leases: { readonly cache: CacheLease; readonly layers: LayerLease };
	readonly images: BaseImages;
	readonly platform: Platform;
	/** Around the look-up of one image; its failure is told, and does not matter. */
	readonly importing: (reference: string, work: () => Promise<void>) => Promise<void>;
}

/** Takes the cache of images over: `--cache-from`. One that cannot be had is as good as empty. @throws CancelledError */
export async function importCaches(
	sources: readonly CacheSource[],
	context: CacheImportContext,
	signal: AbortSignal,
): Promise<void> {
	for (const { type, attributes, context: directory } of sources) {
		const name = (type === "local" ? attributes["src"] : attributes["ref"]) ?? "";
		try {
			if (type === "local" && directory !== undefined)
				await context.importing(name, () => fromLayout(directory, attributes["digest"] ?? "", context, signal));
			if (type === "registry" && name !== "") await context.importing(name, () => fromRegistry(name, context, signal));
		} catch (error) {
			if (errorKind(error) === "cancelled") throw error;
			signal.throwIfAborted();
			// Told by whoever is told of the look-up.
		}
	}
}

async function fromLayout(
	directory: BuildContext,
	digest: string,
	context: CacheImportContext,
	signal: AbortSignal,
): Promise<void> {
	const { layers } = context.leases;
	const images = new LayoutImages(context, directory, context.platform);
	if (digest === "") for await (const { config } of images.all(layers, signal)) adopt(config, context);
	else adopt((await images.image(digest, layers, signal)).config, context);
}

async function fromRegistry(reference: string, context: CacheImportContext, signal: AbortSignal): Promise<void> {
	const { images, platform } = context;
	await using borrowed = await images.borrow({ reference, platform }, signal);
	adopt(borrowed.config, context);
	// A cache with mode=max is an index of several images.
	for (const sibling of await images.siblings({ reference, platform }, signal)) adopt(sibling, context);
}

function adopt(config: ImageConfig, { cache, layers, leases }: CacheImportContext): void {
	for (const { keys, description, result } of inlineCacheOf(config)) {
		if (result.chainId !== undefined && layers.get(result.chainId) === undefined) continue;
		if (keys.some((key) => cache.knows(key))) continue;
		const kind = result.isEmpty ? "internal" : "regular";
		cache.add({ kind, description, keys, parents: [], result }, leases.cache);
	}
}
