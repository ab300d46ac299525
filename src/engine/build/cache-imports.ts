import type { ImageConfig, Platform } from "../../api/oci/image.ts";
import { errorKind } from "../../base/errors.ts";
import { inlineCacheOf } from "../../core/build/inline-cache.ts";
import type { CacheEndpoint } from "../../core/build/request.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";
import type { BaseImages } from "./base-images.ts";
import type { BuildCache, CacheLease } from "./build-cache.ts";

export interface CacheImportContext {
	readonly cache: BuildCache;
	readonly layers: LayerRegistry;
	readonly lease: CacheLease;
	readonly images: BaseImages;
	readonly platform: Platform;
	/** Around the look-up of one image; its failure is told, and does not matter. */
	readonly importing: (reference: string, work: () => Promise<void>) => Promise<void>;
}

/** Takes the cache of images over: `--cache-from`. One that cannot be had is as good as empty. @throws CancelledError */
export async function importCaches(
	sources: readonly CacheEndpoint[],
	context: CacheImportContext,
	signal: AbortSignal,
): Promise<void> {
	for (const { attributes } of sources) {
		const reference = attributes["ref"] ?? "";
		if (reference === "") continue;
		const need = { reference, platform: context.platform };
		try {
			await context.importing(reference, () => context.images.resolve(need, () => {}, signal));
		} catch (error) {
			if (errorKind(error) === "cancelled") throw error;
			signal.throwIfAborted();
			// Told by whoever is told of the look-up.
			continue;
		}
		const image = context.images.lookup(need);
		if (image !== undefined) adopt(image.config, context);
	}
}

function adopt(config: ImageConfig, { cache, layers, lease }: CacheImportContext): void {
	for (const { keys, description, result } of inlineCacheOf(config)) {
		if (result.chainId !== undefined && layers.get(result.chainId) === undefined) continue;
		if (keys.some((key) => cache.knows(key))) continue;
		const kind = result.isEmpty ? "internal" : "regular";
		cache.add({ kind, description, keys, parents: [], result }, lease);
	}
}
