import type { Filters } from "../../../api/engine/filters.ts";
import type { BuildCacheRecord } from "../../../api/engine/system.ts";
import type { Clock } from "../../../base/clock.ts";
import { pruneMatcher } from "../../../core/build/prune-plan.ts";
import type { BuildCache } from "../build-cache.ts";
import type { BuildOperations } from "../build-operations.ts";

export interface CacheUsageDependencies {
	readonly cache: Pick<BuildCache, "list" | "prunable">;
	readonly operations: Pick<BuildOperations, "prune">;
	readonly clock: Clock;
}

/** The cache as BuildKit's clients look at it: records, before and after. */
export class CacheUsage {
	constructor(private readonly deps: CacheUsageDependencies) {}

	/** @throws InvalidParameterError for an unknown filter */
	records(filters: Filters): BuildCacheRecord[] {
		const matches = pruneMatcher(filters, this.deps.clock.now());
		const ids = new Set(this.deps.cache.prunable().flatMap((record) => (matches(record) ? [record.id] : [])));
		return this.deps.cache.list().filter(({ ID }) => ids.has(ID));
	}

	/** @returns what was removed */
	async prune(request: Parameters<BuildOperations["prune"]>[0]): Promise<BuildCacheRecord[]> {
		const before = new Map(this.deps.cache.list().map((record) => [record.ID, record]));
		const { ids } = await this.deps.operations.prune(request);
		return ids.flatMap((id) => before.get(id) ?? []);
	}
}
