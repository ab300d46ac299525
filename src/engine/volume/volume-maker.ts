import type { Clock } from "../../base/clock.ts";
import { ConflictError, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { LocalVolumeDriver } from "../../core/volume/volume-driver.ts";
import { ANONYMOUS_LABEL, checkVolumeName } from "../../core/volume/volume-name.ts";
import type { VolumeRecord } from "../../core/volume/volume-record.ts";
import type { PluginVolumes } from "./plugin-volumes.ts";
import { publishVolumeEvent } from "./volume-events.ts";
import type { VolumeRegistry } from "./volume-registry.ts";

export interface VolumeSpecification {
	readonly name: string;
	/** `local`, a plugin's name, or empty: an existing one whoever has it, else a `local` one. */
	readonly driver: string;
	readonly options: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	readonly anonymous: boolean;
}

export interface VolumeMakerDependencies {
	readonly registry: VolumeRegistry;
	readonly driver: LocalVolumeDriver;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** Makes, renames and forgets volumes, in steps that a crash cannot leave half done. Callers hold the names' locks. */
export class VolumeMaker {
	readonly #deps: VolumeMakerDependencies;
	readonly #plugins: PluginVolumes;
	readonly #usersOf: (name: string) => readonly string[];

	constructor(deps: VolumeMakerDependencies, plugins: PluginVolumes, usersOf: (name: string) => readonly string[]) {
		this.#deps = deps;
		this.#plugins = plugins;
		this.#usersOf = usersOf;
	}

	/** One that is known, or that a plugin has: then it is known from now on. */
	async find(name: string): Promise<VolumeRecord | undefined> {
		const known = this.#deps.registry.find(name);
		if (known !== undefined) return known;
		const found = await this.#plugins.search(name);
		if (found === undefined) return undefined;
		const record = this.#record({ name, driver: found.plugin.name, options: {}, labels: {}, anonymous: false });
		this.#deps.registry.insert(record);
		return record;
	}

	/** @throws InvalidParameterError, NotFoundError, ConflictError, SystemError */
	async ensure(specification: VolumeSpecification): Promise<VolumeRecord> {
		const { name, driver, anonymous } = specification;
		const known = this.#deps.registry.find(name);
		if (known !== undefined && (await this.#isStillThere(known, driver))) return known;
		if (driver === "" && !anonymous && known === undefined) {
			const found = await this.find(name);
			if (found !== undefined) return found;
		}
		const record = this.#record({ ...specification, driver: driver || "local" });
		if (record.driver === "local") await this.#makeLocal(record);
		else await this.make(record, () => this.#plugins.create(record));
		publishVolumeEvent(this.#deps.events, record, "create");
		return record;
	}

	/**
	 * With the record first, unseen until `work` is done: what a crash leaves of it is removed.
	 * @throws ConflictError when there are files of that name already
	 */
	async make(record: VolumeRecord, work: () => Promise<void>): Promise<void> {
		const { registry, driver } = this.#deps;
		if (record.driver === "local" && driver.exists(record.name))
			throw new ConflictError(
				`create ${record.name}: there are files of no volume at ${driver.mountpoint(record.name)}: move them away first`,
			);
		registry.insert({ ...record, making: true });
		try {
			await work();
			registry.update(record);
		} catch (error) {
			await this.#unmake(record);
			throw error;
		}
	}

	async rename(record: VolumeRecord, newName: string): Promise<void> {
		const { registry, driver } = this.#deps;
		const { [ANONYMOUS_LABEL]: _, ...labels } = record.labels;
		const renamed: VolumeRecord = { ...record, name: newName, labels, anonymous: false };
		if (driver.exists(newName))
			throw new ConflictError(
				`rename ${record.name}: there are files of no volume at ${driver.mountpoint(newName)}: move them away first`,
			);
		registry.rename(record.name, { ...renamed, formerName: record.name });
		try {
			await driver.rename(record.name, renamed);
		} catch (error) {
			registry.rename(newName, record);
			throw error;
		}
		registry.update(renamed);
	}

	forget(record: VolumeRecord): void {
		this.#deps.registry.delete(record.name);
		publishVolumeEvent(this.#deps.events, record, "destroy");
	}

	/** At daemon start: removes what was half made, completes renamings. One that fails stops none of the others. */
	async finish(): Promise<void> {
		const { registry, logger } = this.#deps;
		const attempt = async ({ name }: VolumeRecord, work: () => Promise<void>) => {
			try {
				await work();
			} catch (error) {
				logger.error("a volume could not be recovered", { volume: name, error: errorMessage(error) });
			}
		};
		for (const record of registry.unfinished()) await attempt(record, () => this.#unmake(record));
		for (const record of registry.all())
			if (record.formerName !== undefined) await attempt(record, () => this.#finishRename(record));
	}

	async #finishRename({ formerName = "", ...record }: VolumeRecord): Promise<void> {
		const { registry, driver } = this.#deps;
		// Files of a volume that has the name by now are that one's.
		if (registry.find(formerName) !== undefined || !driver.exists(formerName)) return registry.update(record);
		try {
			await driver.rename(formerName, record);
			registry.update(record);
		} catch (error) {
			if (!(error instanceof ConflictError)) throw error;
			registry.rename(record.name, { ...record, name: formerName });
		}
	}

	async #makeLocal(record: VolumeRecord): Promise<void> {
		const { registry, driver } = this.#deps;
		checkVolumeName(record.name);
		driver.check(record);
		if (driver.isMadeInSteps(record)) return await this.make(record, () => driver.create(record));
		registry.checkFree(record.name);
		await driver.create(record);
		try {
			registry.insert(record);
		} catch (error) {
			await driver.withdraw(record);
			throw error;
		}
	}

	/** What a plugin has made by then stays there, for everybody to see. */
	async #unmake(record: VolumeRecord): Promise<void> {
		if (record.driver === "local") await this.#deps.driver.remove(record);
		this.#deps.registry.delete(record.name);
	}

	/** @throws ConflictError for another driver, or when the plugin has lost a volume that containers use */
	async #isStillThere(record: VolumeRecord, driver: string): Promise<boolean> {
		const { name } = record;
		if (driver !== "" && driver !== record.driver)
			throw new ConflictError(
				`a volume named ${name} already exists with the ${record.driver} driver. Choose a different volume name`,
			);
		if (record.driver === "local" || (await this.#plugins.exists(record))) return true;
		if (this.#usersOf(name).length > 0)
			throw new ConflictError(
				`create ${name}: found references to volume '${name}' in driver '${record.driver}' but the volume was not found in the driver -- you may need to remove containers referencing this volume or force remove the volume to re-create it: volume name must be unique`,
			);
		this.#deps.registry.delete(name);
		return false;
	}

	#record(specification: VolumeSpecification): VolumeRecord {
		const { name, driver, options, labels, anonymous } = specification;
		return { name, driver, options, labels, anonymous, createdAt: this.#deps.clock.now() };
	}
}
