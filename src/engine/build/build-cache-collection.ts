import type { PrunableRecord } from "../../core/build/prune-plan.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { GcConsumer, GcItem, GcPart } from "../../core/gc/consumer.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";
import type { BuildCache } from "./build-cache.ts";

export interface BuildCacheCollectionDependencies {
	readonly cache: BuildCache;
	readonly layers: LayerRegistry;
	readonly events: EventPublisher;
}

const NO_LIMITS = { reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0 };

/** The build cache as the collector of the disk budget sees it: records hold layers, as images do, or directories. */
export class BuildCacheCollection implements GcConsumer {
	readonly kind = "build-cache";
	readonly #deps: BuildCacheCollectionDependencies;

	constructor(deps: BuildCacheCollectionDependencies) {
		this.#deps = deps;
	}

	items(): GcItem[] {
		return this.#deps.cache.prunable().map((record) => ({
			id: record.id,
			name: record.description,
			lastUsedAt: record.lastUsedAt,
			isExpendable: false,
			parts: this.#parts(record),
			keptBecause: record.inUse ? "a running build uses it" : undefined,
			dependants: [],
		}));
	}

	/** Running builds hold their layers by leases, which images count. */
	heldParts(): GcPart[] {
		return [];
	}

	async remove(id: string, plannedAt: number): Promise<number | undefined> {
		const { cache, layers } = this.#deps;
		const record = cache.get(id);
		if (record === undefined || record.lastUsedAt > plannedAt) return undefined;
		const before = layers.totalBytes();
		const { ids } = await cache.prune({ ...NO_LIMITS, all: true, filters: new Map([["id", [id]]]) });
		if (ids.length === 0) return undefined;
		return Math.max(0, before - layers.totalBytes()) + (record.isDirectory === true ? record.sizeBytes : 0);
	}

	collected(freedBytes: number): void {
		this.#deps.events.publish({
			type: "builder",
			action: "prune",
			actorId: "",
			attributes: { reclaimed: String(freedBytes) },
		});
	}

	#parts(record: PrunableRecord): GcPart[] {
		if (record.isDirectory === true) return [{ id: `directory ${record.id}`, sizeBytes: record.sizeBytes }];
		const { layers } = this.#deps;
		const stack = layers.stack(record.result?.chainId);
		return stack.map(({ chainId }) => ({ id: chainId, sizeBytes: layers.sizeBytes(chainId) }));
	}
}
