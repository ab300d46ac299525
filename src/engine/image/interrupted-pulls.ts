import type { Digest } from "../../base/digest.ts";
import { shortId } from "../../base/ids.ts";
import type { GcConsumer, GcItem, GcPart } from "../../core/gc/consumer.ts";
import type { LayerRegistry } from "./layer-registry.ts";
import { KEEP_MS } from "./pull-layers.ts";

/** What interrupted pulls have left for the next ones, as the collector of the disk budget sees it: the first to go. */
export class InterruptedPulls implements GcConsumer {
	readonly kind = "pull";

	constructor(
		private readonly layers: LayerRegistry,
		private readonly collectGarbage: () => Promise<void>,
	) {}

	items(): GcItem[] {
		const { layers } = this;
		const stacked = layers.interrupted().map(({ chainId, diffId, keepUntil = 0 }) => ({
			id: chainId,
			name: `layer ${shortId(diffId)}`,
			lastUsedAt: keepUntil - KEEP_MS,
			isExpendable: true,
			parts: layers
				.stack(chainId)
				.map((layer): GcPart => ({ id: layer.chainId, sizeBytes: layers.sizeBytes(layer.chainId) })),
			keptBecause: layers.isLeased(chainId) ? "a running operation uses it" : undefined,
			dependants: [],
		}));
		const unstacked = layers.unstacked().map(({ applied: { diffId, contentSizeBytes: sizeBytes }, keepUntil }) => ({
			id: unstackedId(diffId),
			name: `layer ${shortId(diffId)}`,
			lastUsedAt: keepUntil - KEEP_MS,
			isExpendable: true,
			parts: [{ id: unstackedId(diffId), sizeBytes }],
			keptBecause: undefined,
			dependants: [],
		}));
		return [...stacked, ...unstacked];
	}

	/** Those of pulls under way are held by leases, which images count. */
	heldParts(): GcPart[] {
		return [];
	}

	async remove(id: string): Promise<number | undefined> {
		const { layers } = this;
		const unstacked = layers.unstacked().find(({ applied }) => unstackedId(applied.diffId) === id);
		if (unstacked !== undefined) return await layers.forget(({ chainId }) => chainId === unstacked.applied.diffId);
		const layer = layers.interrupted().find(({ chainId }) => chainId === id);
		if (layer === undefined || layers.isLeased(layer.chainId)) return undefined;
		const before = layers.totalBytes();
		await layers.forget(({ chainId }) => chainId === layer.chainId);
		await this.collectGarbage();
		return Math.max(0, before - layers.totalBytes());
	}

	/** Nobody has heard of them. */
	collected(): void {}
}

/** The lowest layer of an image has one digest for itself and for its stack. */
function unstackedId(diffId: Digest): string {
	return `unstacked ${diffId}`;
}
