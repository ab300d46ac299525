import type { BuildCacheRecord } from "../../api/engine/system.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { BuildCache, PruneOutcome } from "./build-cache.ts";
import type { ClassicBuilds, ClassicMessage, ClassicOptions } from "./classic-builds.ts";

/** What the classic API asks of the builder. */
export class BuildOperations {
	constructor(
		private readonly builds: ClassicBuilds,
		private readonly cache: BuildCache,
		private readonly events: EventPublisher,
	) {}

	build(options: ClassicOptions, signal: AbortSignal): AsyncIterable<ClassicMessage> {
		return this.builds.build(options, signal);
	}

	cancel(id: string): void {
		this.builds.cancel(id);
	}

	async prune(request: Parameters<BuildCache["prune"]>[0]): Promise<PruneOutcome> {
		const outcome = await this.cache.prune(request);
		this.events.publish({
			type: "builder",
			action: "prune",
			actorId: "",
			attributes: { reclaimed: String(outcome.freedBytes) },
		});
		return outcome;
	}

	records(): BuildCacheRecord[] {
		return this.cache.list();
	}
}
