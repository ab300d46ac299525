import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import type { Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse } from "../../api/engine/volume.ts";
import type { Clock } from "../../base/clock.ts";
import { ConflictError, errorMessage, NotImplementedError, UnavailableError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/logger.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { LocalVolumeDriver, VolumeTrees } from "../../core/volume/volume-driver.ts";
import { matchesVolume, parseBooleanFilter, prunesVolume } from "../../core/volume/volume-filters.ts";
import { ANONYMOUS_LABEL, checkVolumeName } from "../../core/volume/volume-name.ts";
import type { VolumePlugins } from "../../core/volume/volume-plugin.ts";
import type { VolumeRecord } from "../../core/volume/volume-record.ts";
import { viewVolume } from "../../core/volume/volume-view.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import { PluginVolumes } from "./plugin-volumes.ts";
import { VolumeCopies, type VolumeCopiesDependencies } from "./volume-copies.ts";
import { publishVolumeEvent } from "./volume-events.ts";
import { VolumeMaker, type VolumeSpecification } from "./volume-maker.ts";
import { noSuchVolume, type VolumeRegistry } from "./volume-registry.ts";

export interface VolumeServiceDependencies {
	readonly registry: VolumeRegistry;
	readonly driver: LocalVolumeDriver;
	readonly trees: VolumeTrees;
	readonly plugins: VolumePlugins;
	readonly containers: ContainerRegistry;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

const LIST_FILTERS = ["dangling", "driver", "label", "name"];
const PRUNE_FILTERS = ["all", "label", "label!"];

/** Volumes of the `local` driver and of plugins: their records, their files, and who uses them. */
export class VolumeService {
	readonly #deps: VolumeServiceDependencies;
	readonly #registry: VolumeRegistry;
	readonly #plugins: PluginVolumes;
	readonly #maker: VolumeMaker;

	constructor(deps: VolumeServiceDependencies) {
		this.#deps = deps;
		this.#registry = deps.registry;
		this.#plugins = new PluginVolumes(deps);
		this.#maker = new VolumeMaker(deps, this.#plugins, (name) => this.usersOf(name));
	}

	/** Clone, export and import. */
	copies(deps: Pick<VolumeCopiesDependencies, "archiver" | "still">): VolumeCopies {
		return new VolumeCopies({ ...this.#deps, ...deps, volumes: this, maker: this.#maker });
	}

	async list(filters: Filters): Promise<VolumeListResponse> {
		checkFilterKeys(filters, LIST_FILTERS);
		const dangling = parseBooleanFilter(filters, "dangling");
		const drivers = filters.get("driver");
		const own = this.#registry.all().filter(isLocal);
		const { volumes, warnings } = await this.#plugins.list((driver) => drivers?.includes(driver) ?? true);
		const all = [...own.map((record) => this.#view(record)), ...volumes];
		const chosen = all
			.filter((volume) => matchesVolume(filters, volume))
			.filter(({ Name }) => dangling === undefined || dangling === (this.usersOf(Name).length === 0));
		return { Volumes: chosen, Warnings: warnings.length === 0 ? null : warnings };
	}

	async create(request: VolumeCreateRequest): Promise<Volume> {
		if (request.ClusterVolumeSpec !== undefined && request.ClusterVolumeSpec !== null)
			throw new UnavailableError(
				"This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.",
			);
		const anonymous = (request.Name ?? "") === "";
		const record = await this.ensure({
			name: request.Name || newId(),
			driver: request.Driver ?? "",
			options: request.DriverOpts ?? {},
			labels: { ...request.Labels, ...(anonymous ? { [ANONYMOUS_LABEL]: "" } : {}) },
			anonymous,
		});
		return isLocal(record) ? this.#view(record) : ((await this.#plugins.inspect(record)) ?? this.#view(record));
	}

	async inspect(name: string): Promise<Volume> {
		const record = await this.#registry.locked(name, () => this.#maker.find(name));
		if (record === undefined) throw noSuchVolume(name);
		if (isLocal(record)) return this.#view(record);
		const volume = await this.#plugins.inspect(record);
		if (volume === undefined) throw noSuchVolume(name);
		return volume;
	}

	/** @param options.force what is not there is no error, and neither is a plugin that fails */
	async remove(name: string, { force }: { readonly force: boolean }): Promise<void> {
		await this.#registry.locked(name, async () => {
			const record = await this.#maker.find(name);
			if (record === undefined) {
				if (force) return;
				throw noSuchVolume(name);
			}
			this.#checkUnused(name, "remove");
			if (isLocal(record) || !force) return await this.#delete(record);
			try {
				await this.#delete(record);
			} catch (error) {
				this.#deps.logger.warn("a plugin did not remove a volume", { volume: name, error: errorMessage(error) });
				this.#maker.forget(record);
			}
		});
	}

	/** @throws ConflictError when it is used or the name is taken, NotImplementedError for a plugin's */
	async rename(name: string, newName: string): Promise<void> {
		checkVolumeName(newName, "rename");
		await this.#registry.lockedBoth(name, newName, async () => {
			const record = this.#registry.get(name);
			if (!isLocal(record)) throw new NotImplementedError(`rename ${name}: volumes of plugins cannot be renamed`);
			this.#checkUnused(name, "rename");
			this.#registry.checkFree(newName);
			await this.#maker.rename(record, newName);
			publishVolumeEvent(this.#deps.events, this.#registry.get(newName), "rename", { oldName: name });
		});
	}

	/**
	 * Anonymous volumes that no container uses; with `all` named ones too. As with Docker, those with driver options stay: what they
	 * hold may be of use elsewhere.
	 */
	async prune(filters: Filters): Promise<VolumePruneResponse> {
		checkFilterKeys(filters, PRUNE_FILTERS);
		const all = parseBooleanFilter(filters, "all") ?? false;
		const deleted: string[] = [];
		let reclaimed = 0;
		for (const record of this.#registry.all()) {
			if (!isLocal(record) || Object.keys(record.options).length > 0) continue;
			if (!(all || record.anonymous) || !prunesVolume(filters, record)) continue;
			await this.#registry.locked(record.name, async () => {
				if (this.#registry.find(record.name) === undefined || this.usersOf(record.name).length > 0) return;
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

	/** Volumes on this machine with their sizes and how many containers use them, for `df`. */
	async usage(): Promise<Volume[]> {
		const records = this.#registry.all().filter(isLocal);
		return await Promise.all(
			records.map(async (record) => ({
				...this.#view(record),
				UsageData: { Size: await this.#deps.driver.usage(record), RefCount: this.usersOf(record.name).length },
			})),
		);
	}

	/** Names of all drivers, for `info`. */
	drivers(): string[] {
		return [...new Set(["local", ...this.#deps.plugins.active()])].sort();
	}

	has(name: string): boolean {
		return this.#registry.find(name) !== undefined;
	}

	/**
	 * The volume of that name, made if there is none. Without a driver it is whoever's has the name.
	 * @throws InvalidParameterError, NotFoundError for a plugin, ConflictError for another driver
	 */
	async ensure(specification: VolumeSpecification): Promise<VolumeRecord> {
		return await this.#registry.locked(specification.name, () => this.#maker.ensure(specification));
	}

	/** IDs of the containers, running or not, that have the volume mounted. */
	usersOf(name: string): string[] {
		return this.#deps.containers
			.all()
			.filter((record) => record.mounts.some((mount) => mount.type === "volume" && mount.source === name))
			.map((record) => record.id);
	}

	/** Makes the files available to a container, or a copy. @returns their directory */
	async mount(name: string, holder: string): Promise<string> {
		return await this.#registry.locked(name, async () => {
			const record = this.#registry.get(name);
			return isLocal(record)
				? await this.#deps.driver.mount(record, holder)
				: await this.#plugins.mount(record, holder);
		});
	}

	/** At daemon start: a container that runs has it mounted. */
	async adopt(name: string, holder: string): Promise<void> {
		const record = this.#registry.find(name);
		if (record === undefined) return;
		if (isLocal(record)) await this.#registry.locked(name, () => this.#deps.driver.mount(record, holder));
		else this.#plugins.adopt(record);
	}

	/** Idempotent. */
	async unmount(name: string, holder: string): Promise<void> {
		await this.#registry.locked(name, async () => {
			const record = this.#registry.find(name);
			if (record === undefined) return;
			if (isLocal(record)) await this.#deps.driver.unmount(record, holder);
			else await this.#plugins.unmount(record, holder);
		});
	}

	/** Fills an empty volume, mounted, from a directory of a root file system. */
	async populate(name: string, sourceRoot: string, sourcePath: string): Promise<void> {
		await this.#registry.locked(name, async () => {
			const record = this.#registry.get(name);
			if (isLocal(record)) return await this.#deps.driver.populate(record, sourceRoot, sourcePath);
			const { trees } = this.#deps;
			const target = this.#plugins.directory(name);
			if (trees.isEmpty(target)) await trees.copy({ root: sourceRoot, path: sourcePath }, target);
		});
	}

	/** For views; of a volume that is gone, what a new one would have. */
	location(name: string): { readonly mountpoint: string; readonly driver: string } {
		const driver = this.#registry.find(name)?.driver ?? "local";
		return { mountpoint: this.#mountpoint({ name, driver }), driver };
	}

	publishMount(name: string, attributes: Readonly<Record<string, string>>): void {
		publishVolumeEvent(this.#deps.events, this.#registry.get(name), "mount", attributes);
	}

	publishUnmount(name: string, containerId: string): void {
		const record = this.#registry.find(name);
		if (record !== undefined) publishVolumeEvent(this.#deps.events, record, "unmount", { container: containerId });
	}

	/** Removes a volume together with its last container; one that others use stays, and so does one that cannot be removed. */
	async removeIfUnused(name: string, containerId: string): Promise<void> {
		await this.#registry.locked(name, async () => {
			const record = this.#registry.find(name);
			const users = this.usersOf(name).filter((id) => id !== containerId);
			if (record === undefined || users.length > 0) return;
			try {
				await this.#delete(record);
			} catch (error) {
				// As with Docker: it is still listed, and the container is not held up by it.
				this.#deps.logger.error("an anonymous volume was not removed", { volume: name, error: errorMessage(error) });
			}
		});
	}

	/** After a crash: frees what was left. @param running IDs of containers, and what volumes each of them holds */
	async cleanUp(running: ReadonlyMap<string, readonly string[]>): Promise<void> {
		const { driver, logger } = this.#deps;
		await this.#maker.finish();
		const names = this.#registry.all().filter(isLocal);
		const { gone, problems } = await driver.cleanUp({
			names: new Set(names.map(({ name }) => name)),
			mounted: new Set([...running.values()].flat()),
		});
		for (const problem of problems) logger.error("volumes could not be cleaned up", { error: problem });
		for (const name of gone) if (this.usersOf(name).length === 0) this.#maker.forget(this.#registry.get(name));
		// The plugin may be slow, or not there yet: nobody waits for it.
		for (const record of this.#registry.all())
			for (const holder of record.holders ?? []) if (!running.has(holder)) void this.unmount(record.name, holder);
	}

	#checkUnused(name: string, action: string): void {
		const users = this.usersOf(name);
		if (users.length > 0) throw new ConflictError(`${action} ${name}: volume is in use - [${users.join(", ")}]`);
	}

	/** The files first: a crash in between leaves a record that `cleanUp` removes, never files without a record. */
	async #delete(record: VolumeRecord): Promise<void> {
		if (isLocal(record)) await this.#deps.driver.remove(record);
		else await this.#plugins.remove(record);
		this.#maker.forget(record);
	}

	#view(record: VolumeRecord): Volume {
		return viewVolume(record, this.#mountpoint(record));
	}

	#mountpoint({ name, driver }: Pick<VolumeRecord, "name" | "driver">): string {
		return driver === "local" ? this.#deps.driver.mountpoint(name) : this.#plugins.directory(name);
	}
}

function isLocal({ driver }: Pick<VolumeRecord, "driver">): boolean {
	return driver === "local";
}
