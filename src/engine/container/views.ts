import type { ContainerInspect, ContainerSummary } from "../../api/engine/container.ts";
import type { Filters } from "../../api/engine/filters.ts";
import type { ApiVersion } from "../../api/engine/version.ts";
import type { Clock } from "../../base/clock.ts";
import { errorKind } from "../../base/errors.ts";
import { Pool } from "../../base/pool.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { inspectView } from "../../core/container/inspect-view.ts";
import { selectContainers } from "../../core/container/list-filter.ts";
import { containerOfMode } from "../../core/container/namespace-mode.ts";
import { isRunning } from "../../core/container/state.ts";
import { summaryView } from "../../core/container/summary-view.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { parseLink } from "../../core/network/links.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { ContainerRegistry } from "./registry.ts";

/** What views need of the services beside the containers'. */
export interface ViewSources {
	/** By name or ID. @throws NotFoundError */
	readonly findImage: (reference: string) => ImageRecord;
	readonly execIds: (containerId: string) => readonly string[];
	readonly mountpoint: (volume: string) => string;
	/** File of a container's network namespace. */
	readonly sandboxPath: (containerId: string) => string;
}

export interface ContainerViewsDependencies {
	readonly registry: ContainerRegistry;
	readonly networks: NetworkService;
	readonly snapshotter: Snapshotter;
	readonly files: ContainerHostFiles;
	readonly clock: Clock;
	readonly sources: ViewSources;
}

export interface ContainerListOptions {
	readonly all: boolean;
	readonly limit: number;
	readonly size: boolean;
	readonly filters: Filters;
	readonly version: ApiVersion;
}

/** Trees measured at once. */
const PARALLEL_MEASUREMENTS = 2;

interface Size {
	readonly writableBytes: number;
	readonly totalBytes: number;
}

/** Containers as clients see them. */
export class ContainerViews {
	readonly #deps: ContainerViewsDependencies;
	readonly #measurements = new Pool(PARALLEL_MEASUREMENTS);

	constructor(deps: ContainerViewsDependencies) {
		this.#deps = deps;
	}

	/** @throws InvalidParameterError, NotFoundError (`before`, `since`) */
	async list(options: ContainerListOptions): Promise<ContainerSummary[]> {
		const { registry, networks } = this.#deps;
		const chosen = selectContainers(registry.all(), options, {
			findContainer: (name) => registry.resolve(name),
			descendsFrom: (imageId, reference) => this.#descendsFrom(imageId, reference),
			networkId: (name) => networks.find(name)?.id,
		});
		const links = linkNames(registry);
		return await Promise.all(chosen.map((record) => this.#summary(record, options, links.get(record.id) ?? [])));
	}

	/** @throws NotFoundError */
	async inspect(
		name: string,
		options: { readonly size: boolean; readonly version: ApiVersion },
	): Promise<ContainerInspect> {
		const { registry, networks, snapshotter, files, sources } = this.#deps;
		const record = registry.resolve(name);
		const size = options.size ? await this.#size(record) : undefined;
		const { hosts, hostname, resolvConf } = files.paths(record.id);
		// A container that never ran has none of these files yet.
		const hasFiles = record.lifecycle.kind !== "created";
		return inspectView(registry.find(record.id) ?? record, {
			version: options.version,
			paths: hasFiles ? { hosts, hostname, resolvConf } : { hosts: "", hostname: "", resolvConf: "" },
			snapshotter: { name: snapshotter.name, data: snapshotter.describe(record.id) },
			execIds: sources.execIds(record.id),
			mountpoint: sources.mountpoint,
			networkId: (network) => networks.find(network)?.id,
			sandboxKey: this.#sandboxKey(record),
			...(size === undefined ? {} : { size }),
		});
	}

	isTerminal(name: string): boolean {
		return this.#deps.registry.resolve(name).config.Tty === true;
	}

	async #summary(
		record: ContainerRecord,
		{ version, size }: ContainerListOptions,
		names: readonly string[],
	): Promise<ContainerSummary> {
		const { networks, clock, sources } = this.#deps;
		const measured = size ? await this.#size(record) : undefined;
		return summaryView(record, {
			version,
			now: clock.now(),
			mountpoint: sources.mountpoint,
			networkId: (network) => networks.find(network)?.id,
			image: this.#imageName(record),
			linkNames: names,
			...(measured === undefined ? {} : { size: measured }),
		});
	}

	async #size(record: ContainerRecord): Promise<Size> {
		const { sizeBytes } = await this.#measurements.run(() => this.#deps.snapshotter.containerUsage(record.id));
		return { writableBytes: sizeBytes, totalBytes: sizeBytes + (this.#image(record.imageId)?.sizeBytes ?? 0) };
	}

	/** The reference it was made with, as long as that still means its image. */
	#imageName(record: ContainerRecord): string {
		const name = record.config.Image ?? record.imageReference;
		return this.#image(name)?.id === record.imageId ? name : record.imageId;
	}

	#descendsFrom(imageId: string, reference: string): boolean {
		const ancestor = this.#image(reference)?.id;
		if (ancestor === undefined) return false;
		let current: string | undefined = imageId;
		for (; current !== undefined && current !== ancestor; current = this.#image(current)?.parent);
		return current === ancestor;
	}

	#image(reference: string): ImageRecord | undefined {
		try {
			return this.#deps.sources.findImage(reference);
		} catch (error) {
			const kind = errorKind(error);
			if (kind === "not-found" || kind === "invalid-parameter") return undefined;
			throw error;
		}
	}

	#sandboxKey(record: ContainerRecord): string {
		if (!isRunning(record.lifecycle)) return "";
		const { NetworkMode: mode = "" } = record.hostConfig;
		if (mode === "host") return "/proc/1/ns/net";
		return containerOfMode(mode) === undefined ? this.#deps.sources.sandboxPath(record.id) : "";
	}
}

/** `/owner/alias` of each link, by the ID of the container it points to. */
function linkNames(registry: ContainerRegistry): Map<string, string[]> {
	const names = new Map<string, string[]>();
	for (const record of registry.all())
		for (const text of record.hostConfig.Links ?? []) {
			const { target, alias } = parseLink(text);
			const other = registry.owner(target) ?? registry.find(target);
			if (other !== undefined) names.set(other.id, [...(names.get(other.id) ?? []), `/${record.name}/${alias}`]);
		}
	return names;
}
