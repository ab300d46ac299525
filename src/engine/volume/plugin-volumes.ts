import type { Volume } from "../../api/engine/volume.ts";
import { ConflictError, errorKind, errorMessage, NotFoundError, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import {
	PluginUnreachableError,
	type PluginVolume,
	type VolumePlugin,
	type VolumePlugins,
} from "../../core/volume/volume-plugin.ts";
import type { VolumeRecord } from "../../core/volume/volume-record.ts";
import { viewPluginVolume, viewVolume } from "../../core/volume/volume-view.ts";
import type { VolumeRegistry } from "./volume-registry.ts";

export interface PluginVolumesDependencies {
	readonly plugins: VolumePlugins;
	readonly registry: VolumeRegistry;
	readonly logger: Logger;
}

export interface FoundVolume {
	readonly plugin: VolumePlugin;
	readonly volume: PluginVolume;
}

/**
 * Volumes that plugins keep. A plugin counts who has a volume mounted, so who does is stored before it is asked: after a crash each
 * mount is given back once.
 */
export class PluginVolumes {
	readonly #deps: PluginVolumesDependencies;
	/** Directories of mounted volumes, as their plugins last said. */
	readonly #directories = new Map<string, string>();

	constructor(deps: PluginVolumesDependencies) {
		this.#deps = deps;
	}

	/** For views; empty when it is mounted nowhere, or was by an earlier daemon. */
	directory(name: string): string {
		return this.#directories.get(name) ?? "";
	}

	/** Makes it unless the plugin has it already. @throws NotFoundError for the plugin, SystemError */
	async create(record: VolumeRecord): Promise<void> {
		const { name } = record;
		const plugin = await this.#find(record.driver, `create ${name}`);
		await within(`create ${name}`, async () => {
			if ((await plugin.get(name)) === undefined) await plugin.create(name, record.options);
		});
	}

	/** Looks for a volume that nobody here knows. @throws nothing: a plugin that does not answer has none */
	async search(name: string): Promise<FoundVolume | undefined> {
		for (const driver of this.#deps.plugins.names()) {
			try {
				const plugin = await this.#deps.plugins.find(driver);
				const volume = await plugin.get(name);
				if (volume !== undefined) return { plugin, volume };
			} catch (error) {
				this.#deps.logger.debug("a plugin was not asked for a volume", { plugin: driver, error: errorMessage(error) });
			}
		}
		return undefined;
	}

	/** @throws ConflictError when the plugin cannot be asked */
	async exists(record: VolumeRecord): Promise<boolean> {
		try {
			const plugin = await this.#deps.plugins.find(record.driver, { patient: true });
			return (await plugin.get(record.name)) !== undefined;
		} catch (cause) {
			throw new ConflictError(
				`create ${record.name}: found reference to volume '${record.name}' in driver '${record.driver}', but got an error while checking the driver: ${errorMessage(cause)}: volume name must be unique`,
				{ cause },
			);
		}
	}

	/** Undefined when the plugin does not have it. @throws NotFoundError for the plugin, SystemError, UnavailableError */
	async inspect(record: VolumeRecord): Promise<Volume | undefined> {
		const what = `get ${record.name}: error while checking if volume "${record.name}" exists in driver "${record.driver}"`;
		const plugin = await this.#find(record.driver, what);
		const volume = await within(what, () => plugin.get(record.name));
		if (volume === undefined) return undefined;
		const view = viewPluginVolume(volume, { name: plugin.name, scope: await plugin.scope() }, record);
		return volume.status === undefined ? view : { ...view, Status: { ...volume.status } };
	}

	/** Every volume that a plugin has, and what to say of plugins that could not be asked. */
	async list(isWanted: (driver: string) => boolean): Promise<{ volumes: Volume[]; warnings: string[] }> {
		const { plugins, registry } = this.#deps;
		const used = registry.all().map(({ driver }) => driver);
		const names = [...new Set([...plugins.names(), ...used])].filter((name) => name !== "local" && isWanted(name));
		const lists = await Promise.all(names.sort().map((name) => this.#listOf(name)));
		return {
			volumes: lists.flatMap(({ volumes }) => volumes),
			warnings: lists.flatMap(({ warning }) => (warning === undefined ? [] : [warning])),
		};
	}

	async #listOf(name: string): Promise<{ volumes: Volume[]; warning?: string }> {
		const { plugins, registry } = this.#deps;
		const known = registry.all().filter(({ driver }) => driver === name);
		try {
			const plugin = await plugins.find(name);
			const scope = await plugin.scope();
			const volumes = (await plugin.list()).filter((volume) => (registry.find(volume.name)?.driver ?? name) === name);
			return {
				volumes: volumes.map((volume) => viewPluginVolume(volume, { name, scope }, registry.find(volume.name))),
			};
		} catch (error) {
			// A plugin for something else than volumes is no news.
			const isOurs = known.length > 0 || plugins.active().includes(name);
			const volumes = known.map((record) => viewVolume(record, this.directory(record.name)));
			return isOurs ? { volumes, warning: `list ${name}: ${errorMessage(error)}` } : { volumes };
		}
	}

	/** @throws NotFoundError for the plugin, SystemError */
	async remove(record: VolumeRecord): Promise<void> {
		const { name } = record;
		const plugin = await this.#find(record.driver, `remove ${name}`);
		for (const holder of record.holders ?? []) await this.unmount(this.#deps.registry.get(name), holder);
		await within(`remove ${name}`, () => plugin.remove(name));
		this.#directories.delete(name);
	}

	/** Idempotent per holder. @returns its directory. @throws SystemError */
	async mount(record: VolumeRecord, holder: string): Promise<string> {
		const { registry, plugins } = this.#deps;
		const { name } = record;
		const plugin = await plugins.find(record.driver, { patient: true });
		const holders = record.holders ?? [];
		if (holders.includes(holder)) {
			const known = await this.#directoryOf(plugin, name);
			if (known !== "") return known;
			// An earlier attempt whose end nobody saw.
		} else registry.update({ ...record, holders: [...holders, holder] });
		try {
			const directory = await plugin.mount(name, holder);
			if (!directory.startsWith("/"))
				throw new SystemError(`plugin ${plugin.name} mounted volume ${name} at "${directory}", which is no directory`);
			this.#directories.set(name, directory);
			return directory;
		} catch (cause) {
			const isUncertain = errorKind(cause) === "unavailable" && !(cause instanceof PluginUnreachableError);
			if (isUncertain) await this.unmount(registry.get(name), holder);
			else this.#forgetHolder(name, holder);
			throw cause;
		}
	}

	/** What fails is noted, and tried again at the next daemon start: an end must not fail for it. Idempotent. */
	async unmount(record: VolumeRecord, holder: string): Promise<void> {
		if (record.holders?.includes(holder) !== true) return;
		const { plugins, logger } = this.#deps;
		try {
			const plugin = await plugins.find(record.driver);
			await plugin.unmount(record.name, holder);
			this.#forgetHolder(record.name, holder);
		} catch (error) {
			const { name: volume, driver } = record;
			logger.warn("a volume could not be unmounted", { volume, plugin: driver, holder, error: errorMessage(error) });
		}
	}

	/** At daemon start, for a volume that a running container has: where it lies is asked when the plugin answers. */
	adopt({ name, driver }: VolumeRecord): void {
		void this.#deps.plugins
			.find(driver, { patient: true })
			.then((plugin) => this.#directoryOf(plugin, name))
			.catch((error: unknown) =>
				this.#deps.logger.debug("a plugin's volume was not found", { volume: name, error: errorMessage(error) }),
			);
	}

	/** Empty when it is mounted nowhere. */
	async #directoryOf(plugin: VolumePlugin, name: string): Promise<string> {
		const known = this.#directories.get(name) ?? (await plugin.path(name));
		if (known !== "") this.#directories.set(name, known);
		return known;
	}

	#forgetHolder(name: string, holder: string): void {
		const { registry } = this.#deps;
		const { holders = [], ...record } = registry.get(name);
		const left = holders.filter((each) => each !== holder);
		registry.update(left.length === 0 ? record : { ...record, holders: left });
		if (left.length === 0) this.#directories.delete(name);
	}

	async #find(driver: string, what: string): Promise<VolumePlugin> {
		try {
			return await this.#deps.plugins.find(driver);
		} catch (cause) {
			if (cause instanceof NotFoundError)
				throw new NotFoundError(`${what}: error looking up volume plugin ${driver}: ${cause.message}`, { cause });
			throw new SystemError(`${what}: error looking up volume plugin ${driver}: ${errorMessage(cause)}`, { cause });
		}
	}
}

/** Says what was done when it fails. */
async function within<T>(what: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (cause) {
		throw new SystemError(`${what}: ${errorMessage(cause)}`, { cause });
	}
}
