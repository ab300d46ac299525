import type { EventMessage } from "../../api/engine/event.ts";
import type { Filters } from "../../api/engine/filters.ts";
import type { InfoResponse, VersionResponse } from "../../api/engine/system.ts";
import { type ApiVersion, MAX_API_VERSION } from "../../api/engine/version.ts";
import type { Clock } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { DiskUsage } from "../../core/system/disk-usage.ts";
import type { MachineFacts } from "../../core/system/machine-facts.ts";
import type { MetaStore } from "../../core/system/meta-store.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { EventBus } from "../event/event-bus.ts";
import { type EventStreamOptions, eventStream } from "../event/event-stream.ts";
import { DiskMeter, type DiskSources, type DiskUsageType } from "./disk-meter.ts";
import { type EngineBuild, type EngineSettings, infoView, versionView } from "./system-info.ts";

/** What `info` and `df` count of the other services. */
export interface SystemSources extends DiskSources {
	readonly openFiles: () => number;
	readonly volumeDrivers: () => readonly string[];
	/** Whether published ports are subject to the host's own input chains. */
	readonly asksHostFirewall: () => boolean;
	readonly machine: () => MachineFacts;
}

export interface SystemServiceDependencies {
	readonly registry: ContainerRegistry;
	readonly snapshotter: Snapshotter;
	readonly events: EventBus;
	readonly meta: MetaStore;
	readonly clock: Clock;
	readonly sources: SystemSources;
}

const DAEMON_ID = "daemon-id";
const NO_FILTERS: Filters = new Map();

/** The engine about itself: info, version, disk usage, events. */
export class SystemService {
	readonly #deps: SystemServiceDependencies;
	readonly #build: EngineBuild;
	readonly #host: HostFacts;
	readonly #disk: DiskMeter;
	#settings: EngineSettings;

	constructor(
		deps: SystemServiceDependencies,
		facts: { readonly build: EngineBuild; readonly host: HostFacts; readonly settings: EngineSettings },
	) {
		this.#deps = deps;
		this.#build = facts.build;
		this.#host = facts.host;
		this.#settings = facts.settings;
		this.#disk = new DiskMeter(deps.sources);
	}

	/** The daemon's ID: made at its first start, the same ever after. */
	id(): string {
		const { meta } = this.#deps;
		const stored = meta.get(DAEMON_ID);
		if (stored !== undefined) return stored;
		const id = newId()
			.slice(0, 32)
			.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
		meta.set(DAEMON_ID, id);
		return id;
	}

	/** What a reload of the configuration has changed; publishes `reload`. */
	reconfigure(settings: EngineSettings, attributes: Readonly<Record<string, string>>): void {
		this.#settings = settings;
		const events: EventPublisher = this.#deps.events;
		events.publish({
			type: "daemon",
			action: "reload",
			actorId: this.id(),
			attributes: { ...attributes, name: settings.name },
		});
	}

	async info(): Promise<InfoResponse> {
		const { registry, snapshotter, events, clock, sources } = this.#deps;
		const kinds = registry.all().map((record) => record.lifecycle.kind);
		const count = (...wanted: string[]) => kinds.filter((kind) => wanted.includes(kind)).length;
		const running = count("running", "restarting");
		const paused = count("paused");
		const images = await sources.images({
			all: true,
			sharedSize: false,
			filters: NO_FILTERS,
			version: MAX_API_VERSION,
		});
		return infoView({
			id: this.id(),
			build: this.#build,
			settings: this.#settings,
			host: this.#host,
			machine: sources.machine(),
			storage: { name: snapshotter.name, status: storageStatus(snapshotter.name) },
			containers: { running, paused, stopped: kinds.length - running - paused },
			images: images.length,
			eventListeners: events.listenerCount,
			openFiles: sources.openFiles(),
			volumeDrivers: sources.volumeDrivers(),
			asksHostFirewall: sources.asksHostFirewall(),
			now: clock.now(),
		});
	}

	version(): VersionResponse {
		return versionView(this.#build, this.#host, this.#deps.sources.machine());
	}

	/** @param types what to measure; the rest is absent */
	diskUsage(types: ReadonlySet<DiskUsageType>, version: ApiVersion): Promise<DiskUsage> {
		return this.#disk.measure(types, version);
	}

	events(options: EventStreamOptions, signal: AbortSignal): AsyncIterable<EventMessage> {
		return eventStream(this.#deps.events, this.#deps.clock, options, signal);
	}
}

function storageStatus(name: string): [string, string][] {
	if (name !== "overlay2") return [];
	return [
		["Supports d_type", "true"],
		["Using metacopy", "false"],
		["Native Overlay Diff", "true"],
		["userxattr", "false"],
	];
}
