/**
 * Cache records inside an image's configuration, so that a machine that pulls the image need not repeat its steps. Keys say what a step was
 * made of, wherever that was; the layers come with the image.
 */
import type { ImageConfig } from "../../api/oci/image.ts";
import { type Digest, isDigest } from "../../base/digest.ts";
import { chainIds } from "../image/chain-id.ts";
import type { StepResult } from "./cache-record.ts";

export const INLINE_CACHE_FIELD = "gantry.cache.v1";

/** More steps than any Dockerfile has. */
const ENTRY_LIMIT = 1000;
const TEXT_LIMIT = 1024;

export interface InlineStep {
	readonly keys: readonly Digest[];
	readonly description: string;
	readonly result: StepResult;
}

/** @param steps of the image, in order */
export function withInlineCache(document: ImageConfig, steps: readonly InlineStep[]): ImageConfig {
	const chains = chainIds(document.rootfs.diff_ids);
	const entries = steps.flatMap(({ keys, description, result }) => {
		const layers = result.chainId === undefined ? 0 : chains.indexOf(result.chainId) + 1;
		if (keys.length === 0 || (result.chainId !== undefined && layers === 0)) return [];
		return [{ keys, description, layers, isEmpty: result.isEmpty, createdAt: result.createdAt }];
	});
	return { ...document, [INLINE_CACHE_FIELD]: entries } as ImageConfig;
}

/** What of an image's cache can be read; what cannot is no cache. */
export function inlineCacheOf(config: ImageConfig): InlineStep[] {
	const value = (config as unknown as Record<string, unknown>)[INLINE_CACHE_FIELD];
	if (!Array.isArray(value)) return [];
	const chains = chainIds(config.rootfs.diff_ids);
	return value.slice(0, ENTRY_LIMIT).flatMap((entry) => stepOf(entry, chains) ?? []);
}

function stepOf(entry: unknown, chains: readonly Digest[]): InlineStep | undefined {
	if (typeof entry !== "object" || entry === null) return undefined;
	const { keys, description, layers, isEmpty, createdAt } = entry as Record<string, unknown>;
	if (!Array.isArray(keys) || keys.length === 0 || keys.length > 8) return undefined;
	if (!keys.every((key) => typeof key === "string" && isDigest(key))) return undefined;
	if (typeof description !== "string" || typeof isEmpty !== "boolean") return undefined;
	if (!Number.isSafeInteger(layers) || !Number.isSafeInteger(createdAt)) return undefined;
	const chainId = layers === 0 ? undefined : chains[Number(layers) - 1];
	if (layers !== 0 && chainId === undefined) return undefined;
	return {
		keys: keys as Digest[],
		description: description.slice(0, TEXT_LIMIT),
		result: { chainId, isEmpty, createdAt: Number(createdAt) },
	};
}
