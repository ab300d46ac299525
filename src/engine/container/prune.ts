import type { ContainerPruneResponse } from "../../api/engine/container.ts";
import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import type { Clock } from "../../base/clock.ts";
import { EngineError } from "../../base/errors.ts";
import { isRunning } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { parseUntil } from "../../core/event/timestamp-filter.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import { hasLabel } from "../../core/volume/volume-filters.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { ContainerRemoval } from "./removal.ts";

export interface ContainerPrunerDependencies {
	readonly registry: ContainerRegistry;
	readonly removal: ContainerRemoval;
	readonly snapshotter: Snapshotter;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

export class ContainerPruner {
	readonly #deps: ContainerPrunerDependencies;

	constructor(deps: ContainerPrunerDependencies) {
		this.#deps = deps;
	}

	/** Removes every container that does not run. One that cannot be removed, or has been started meanwhile, is left out. */
	async prune(filters: Filters): Promise<ContainerPruneResponse> {
		checkFilterKeys(filters, ["label", "label!", "until"]);
		const { registry, removal, snapshotter, events, clock } = this.#deps;
		const until = parseUntil(filters, clock.now());
		const deleted: string[] = [];
		let reclaimed = 0;
		for (const record of registry.all()) {
			const labels = record.config.Labels ?? {};
			if (isRunning(record.lifecycle) || record.lifecycle.kind === "restarting") continue;
			if (record.createdAt >= until) continue;
			if (!(filters.get("label") ?? []).every((label) => hasLabel(labels, label))) continue;
			if ((filters.get("label!") ?? []).some((label) => hasLabel(labels, label))) continue;
			try {
				const { sizeBytes } = await snapshotter.containerUsage(record.id);
				await removal.remove(record.id, { force: false, volumes: false, link: false });
				reclaimed += sizeBytes;
				deleted.push(record.id);
			} catch (error) {
				if (!(error instanceof EngineError)) throw error;
			}
		}
		events.publish({
			type: "container",
			action: "prune",
			actorId: "",
			attributes: { reclaimed: String(reclaimed) },
		});
		return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
	}
}
