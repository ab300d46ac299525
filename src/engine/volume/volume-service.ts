import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import type { Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse } from "../../api/engine/volume.ts";
import type { Clock } from "../../base/clock.ts";
import { ConflictError, NotFoundError, UnavailableError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { matchesVolume, parseBooleanFilter, prunesVolume } from "../../core/volume/volume-filters.ts";
import { checkVolumeName } from "../../core/volume/volume-name.ts";
import type { VolumeDriver, VolumeRecord, VolumeStore } from "../../core/volume/volume-record.ts";
import type { ContainerRegistry } from "../container/registry.ts";

export interface VolumeServiceDependencies {
	readonly store: VolumeStore;
	readonly driver: VolumeDriver;
	readonly containers: ContainerRegistry;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

export interface VolumeSpecification {
	readonly name: string;
	readonly driver: string;
	readonly options: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	readonly anonymous: boolean;
}

const LIST_FILTERS = ["dangling", "driver", "label", "name"];
const PRUNE_FILTERS = ["all", "label", "label!"];

/** Volumes of the `local` driver: their records, their files, and who uses them. */
export class VolumeService {
	readonly #deps: VolumeServiceDependencies;
	readonly #records = new Map<string, VolumeRecord>();
	readonly #mutex = new KeyedMutex();

	constructor(deps: VolumeServiceDependencies) {
		this.#deps = deps;
	}

	/** Reads the store, once, at daemon start. */
	load(): void {
		for (const record of this.#deps.store.list()) this.#records.set(record.name, record);
	}

	/** Frees what a crash left. @param mounted names of volumes that running containers hold */
	async cleanUp(mounted: ReadonlySet<string>): Promise<void> {
		const gone = await this.#deps.driver.cleanUp({ names: new Set(this.#records.keys()), mounted });
		for (const name of gone) if (this.usersOf(name).length === 0) this.#forget(this.get(name));
	}

	async list(filters: Filters): Promise<VolumeListResponse> {
		checkFilterKeys(filters, LIST_FILTERS);
		const dangling = parseBooleanFilter(filters, "dangling");
		const volumes = [...this.#records.values()]
			.filter((record) => matchesVolume(filters, record))
			.filter((record) => dangling === undefined || dangling === (this.usersOf(record.name).length === 0))
			.map((record) => this.#view(record));
		return { Volumes: volumes, Warnings: null };
	}

	async create(request: VolumeCreateRequest): Promise<Volume> {
		if (request.ClusterVolumeSpec !== undefined && request.ClusterVolumeSpec !== null)
			throw new UnavailableError(
				"This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.",
			);
		const anonymous = (request.Name ?? "") === "";
		const record = await this.ensure({
			name: request.Name || newId(),
			driver: request.Driver || "local",
			options: request.DriverOpts ?? {},
			labels: { ...request.Labels, ...(anonymous ? { "com.docker.volume.anonymous": "" } : {}) },
			anonymous,
		});
		return this.#view(record);
	}

	async inspect(name: string): Promise<Volume> {
		return this.#view(this.get(name));
	}

	async remove(name: string, options: { readonly force: boolean }): Promise<void> {
		await this.#mutex.run(name, async () => {
			const record = this.#records.get(name);
			if (record === undefined) {
				if (options.force) return;
				throw noSuchVolume(name);
			}
			const users = this.usersOf(name);
			if (users.length > 0) throw new ConflictError(`remove ${name}: volume is in use - [${users.join(", ")}]`);
			await this.#delete(record);
		});
	}

	/** Anonymous volumes that no container uses; with `all` named ones too. */
	async prune(filters: Filters): Promise<VolumePruneResponse> {
		checkFilterKeys(filters, PRUNE_FILTERS);
		const all = parseBooleanFilter(filters, "all") ?? false;
		const deleted: string[] = [];
		let reclaimed = 0;
		for (const record of [...this.#records.values()]) {
			if (!(all || record.anonymous) || !prunesVolume(filters, record)) continue;
			await this.#mutex.run(record.name, async () => {
				if (!this.#records.has(record.name) || this.usersOf(record.name).length > 0) return;
				const sizeBytes = await this.#deps.driver.usage(record);
				await this.#delete(record);
				reclaimed += sizeBytes;
				deleted.push(record.name);
			});
		}
		this.#deps.events.publish({
			type: "volume",
			action: "prune",
			actorId: "",
			attributes: { reclaimed: String(reclaimed) },
		});
		return { VolumesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
	}

	/** Volumes with their sizes and how many containers use them, for `df`. */
	async usage(): Promise<Volume[]> {
		const records = [...this.#records.values()];
		return await Promise.all(
			records.map(async (record) => ({
				...this.#view(record),
				UsageData: { Size: await this.#deps.driver.usage(record), RefCount: this.usersOf(record.name).length },
			})),
		);
	}

	has(name: string): boolean {
		return this.#records.has(name);
	}

	/** @throws NotFoundError */
	get(name: string): VolumeRecord {
		const record = this.#records.get(name);
		if (record === undefined) throw noSuchVolume(name);
		return record;
	}

	/** The volume of that name, made if there is none. @throws InvalidParameterError, ConflictError for another driver */
	async ensure(specification: VolumeSpecification): Promise<VolumeRecord> {
		const { name, driver } = specification;
		checkVolumeName(name);
		return await this.#mutex.run(name, async () => {
			const existing = this.#records.get(name);
			if (existing !== undefined) return sameDriver(existing, driver);
			if (driver !== "local")
				throw new NotFoundError(
					`create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
				);
			const record: VolumeRecord = { ...specification, createdAt: this.#deps.clock.now() };
			this.#deps.driver.check(record);
			await this.#deps.driver.create(record);
			try {
				this.#deps.store.insert(record);
			} catch (error) {
				await this.#deps.driver.remove(record);
				throw error;
			}
			this.#records.set(name, record);
			this.#publish(record, "create", {});
			return record;
		});
	}

	/** IDs of the containers, running or not, that have the volume mounted. */
	usersOf(name: string): string[] {
		return this.#deps.containers
			.all()
			.filter((record) => record.mounts.some((mount) => mount.type === "volume" && mount.source === name))
			.map((record) => record.id);
	}

	/** Makes the files available to a container. @returns their directory */
	async mount(name: string, containerId: string): Promise<string> {
		return await this.#mutex.run(name, () => this.#deps.driver.mount(this.get(name), containerId));
	}

	async unmount(name: string, containerId: string): Promise<void> {
		await this.#mutex.run(name, async () => {
			const record = this.#records.get(name);
			if (record !== undefined) await this.#deps.driver.unmount(record, containerId);
		});
	}

	/** Fills an empty volume from a directory of a root file system. */
	async populate(name: string, sourceRoot: string, sourcePath: string): Promise<void> {
		await this.#mutex.run(name, () => this.#deps.driver.populate(this.get(name), sourceRoot, sourcePath));
	}

	/** For views; of a volume that is gone, what a new one would have. */
	location(name: string): { readonly mountpoint: string; readonly driver: string } {
		const driver = this.#records.get(name)?.driver ?? "local";
		return { mountpoint: this.#deps.driver.mountpoint(name), driver };
	}

	publishMount(name: string, attributes: Readonly<Record<string, string>>): void {
		this.#publish(this.get(name), "mount", attributes);
	}

	publishUnmount(name: string, containerId: string): void {
		const record = this.#records.get(name);
		if (record !== undefined) this.#publish(record, "unmount", { container: containerId });
	}

	/** Removes a volume together with its last container; one that others use stays. */
	async removeIfUnused(name: string, containerId: string): Promise<void> {
		await this.#mutex.run(name, async () => {
			const record = this.#records.get(name);
			const users = this.usersOf(name).filter((id) => id !== containerId);
			if (record !== undefined && users.length === 0) await this.#delete(record);
		});
	}

	/** The files first: a crash in between leaves a record that `cleanUp` removes, never files without a record. */
	async #delete(record: VolumeRecord): Promise<void> {
		await this.#deps.driver.remove(record);
		this.#forget(record);
	}

	#forget(record: VolumeRecord): void {
		this.#deps.store.delete(record.name);
		this.#records.delete(record.name);
		this.#publish(record, "destroy", {});
	}

	#publish(record: VolumeRecord, action: string, attributes: Readonly<Record<string, string>>): void {
		this.#deps.events.publish({
			type: "volume",
			action,
			actorId: record.name,
			attributes: { ...attributes, driver: record.driver },
		});
	}

	#view(record: VolumeRecord): Volume {
		return {
			CreatedAt: new Date(record.createdAt).toISOString().replace(/\.\d+Z$/, "Z"),
			Driver: record.driver,
			Labels: Object.keys(record.labels).length === 0 ? null : { ...record.labels },
			Mountpoint: this.#deps.driver.mountpoint(record.name),
			Name: record.name,
			Options: Object.keys(record.options).length === 0 ? null : { ...record.options },
			Scope: "local",
		};
	}
}

function sameDriver(existing: VolumeRecord, driver: string): VolumeRecord {
	if (driver === existing.driver) return existing;
	throw new ConflictError(
		`a volume named ${existing.name} already exists with the ${existing.driver} driver. Choose a different volume name`,
	);
}

function noSuchVolume(name: string): NotFoundError {
	return new NotFoundError(`get ${name}: no such volume`);
}
