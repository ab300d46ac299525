import type { ContainerInspect, ContainerSummary } from "../../api/engine/container.ts";
import type { ApiVersion } from "../../api/engine/version.ts";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { imageSnapshotId } from "../../core/container/image-mounts.ts";
import { inspectView } from "../../core/container/inspect-view.ts";
import { type ListOptions, selectContainers } from "../../core/container/list-filter.ts";
import type { MountLocations } from "../../core/container/mount-view.ts";
import { isRunning } from "../../core/container/state.ts";
import { summaryView } from "../../core/container/summary-view.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { parseLink } from "../../core/network/links.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { ExecService } from "../exec/exec-service.ts";
import { hasSandbox } from "../network/container-networking.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { VolumeService } from "../volume/volume-service.ts";
import type { ImageResolver } from "./create.ts";
import type { ContainerRegistry } from "./registry.ts";

export interface ContainerViewsDependencies {
	readonly registry: ContainerRegistry;
	readonly images: ImageResolver;
	readonly networks: NetworkService;
	readonly volumes: VolumeService;
	readonly execs: ExecService;
	readonly files: ContainerHostFiles;
	readonly snapshotter: Snapshotter;
	readonly clock: Clock;
}

const NO_FILES = { hosts: "", hostname: "", resolvConf: "" } as const;

/** Containers in the API's shapes. */
export class ContainerViews {
	readonly #deps: ContainerViewsDependencies;

	/** @param sandboxPath where the network namespace of a running container is bound */
	constructor(
		deps: ContainerViewsDependencies,
		private readonly sandboxPath: (id: string) => string,
	) {
		this.#deps = deps;
	}

	/** @throws InvalidParameterError for a filter, NotFoundError (`before`, `since`) */
	async list(
		options: ListOptions & { readonly size: boolean; readonly version: ApiVersion },
	): Promise<ContainerSummary[]> {
		const { registry, networks, clock } = this.#deps;
		const locations = this.#locations();
		const records = registry.all();
		const chosen = selectContainers(records, options, {
			findContainer: (name) => registry.resolve(name),
			descendsFrom: (imageId, reference) => this.#descendsFrom(imageId, reference),
			networkId: (name) => networks.find(name)?.id,
		});
		const linkNames = linkNamesOf(records);
		const now = clock.now();
		const view = async (record: ContainerRecord): Promise<ContainerSummary> =>
			summaryView(record, {
				version: options.version,
				now,
				image: this.#imageName(record),
				linkNames: linkNames.get(record.name) ?? [],
				locations,
				networkId: (name) => networks.find(name)?.id,
				...(options.size ? { size: await this.#size(record) } : {}),
			});
		return await Promise.all(chosen.map(view));
	}

	/** @throws NotFoundError */
	async inspect(
		name: string,
		options: { readonly size: boolean; readonly version: ApiVersion },
	): Promise<ContainerInspect> {
		const { registry, networks, execs, files, snapshotter } = this.#deps;
		const record = registry.resolve(name);
		const { hosts, hostname, resolvConf } = files.paths(record.id);
		return inspectView(record, {
			version: options.version,
			// A container that never ran has none of these files yet.
			paths: record.lifecycle.kind === "created" ? NO_FILES : { hosts, hostname, resolvConf },
			snapshotter: { name: snapshotter.name, data: snapshotter.describe(record.id) },
			execIds: execs.idsOf(record.id),
			locations: this.#locations(),
			containerName: (reference) => this.#containerName(reference),
			networkId: (network) => networks.find(network)?.id,
			sandboxKey: isRunning(record.lifecycle) && hasSandbox(record) ? this.sandboxPath(record.id) : "",
			...(options.size ? { size: await this.#size(record) } : {}),
		});
	}

	/** @throws NotFoundError */
	isTerminal(name: string): boolean {
		return this.#deps.registry.resolve(name).config.Tty === true;
	}

	#locations(): MountLocations {
		const { volumes, snapshotter } = this.#deps;
		return {
			volume: (name) => volumes.location(name),
			image: (record, mount) => snapshotter.find(imageSnapshotId(record, mount)).mergedPath,
		};
	}

	async #size(record: ContainerRecord): Promise<{ readonly writableBytes: number; readonly totalBytes: number }> {
		const { sizeBytes } = await this.#deps.snapshotter.containerUsage(record.id);
		const image = this.#image(record.imageId);
		return { writableBytes: sizeBytes, totalBytes: sizeBytes + (image?.sizeBytes ?? 0) };
	}

	/** Its reference as given, or its ID when the reference means another image by now. */
	#imageName(record: ContainerRecord): string {
		return this.#image(record.imageReference)?.id === record.imageId ? record.imageReference : record.imageId;
	}

	#descendsFrom(imageId: string, reference: string): boolean {
		const ancestor = this.#image(reference)?.id;
		if (ancestor === undefined) return false;
		let current: Digest | undefined = this.#image(imageId)?.id;
		while (current !== undefined && current !== ancestor) current = this.#image(current)?.parent;
		return current === ancestor;
	}

	#containerName(reference: string): string {
		try {
			return this.#deps.registry.resolve(reference).name;
		} catch (error) {
			// Links stay when what they lead to has been removed.
			if (error instanceof NotFoundError) return reference;
			throw error;
		}
	}

	#image(reference: string): ImageRecord | undefined {
		try {
			return this.#deps.images.resolve(reference);
		} catch (error) {
			// Containers outlive a forced removal of their image.
			if (error instanceof NotFoundError) return undefined;
			throw error;
		}
	}
}

/** `/other/alias` for each link that points to a container, by the container's name. */
function linkNamesOf(records: readonly ContainerRecord[]): ReadonlyMap<string, string[]> {
	const names = new Map<string, string[]>();
	for (const record of records)
		for (const link of record.hostConfig.Links ?? []) {
			const { target, alias } = parseLink(link);
			names.set(target, [...(names.get(target) ?? []), `/${record.name}/${alias}`]);
		}
	return names;
}
