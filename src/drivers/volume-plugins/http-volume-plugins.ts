import { type Clock, delay } from "../../base/clock.ts";
import { NotFoundError } from "../../base/errors.ts";
import type { VolumePlugin, VolumePlugins } from "../../core/volume/volume-plugin.ts";
import { HttpVolumePlugin } from "./http-volume-plugin.ts";
import { PluginClient } from "./plugin-client.ts";
import type { PluginAddress, PluginDirectories } from "./plugin-directories.ts";

const ACTIVATE_MS = 10_000;
/** How long a container's start waits for a plugin that is not there yet. */
const PATIENCE_MS = 15_000;
const LOOK_AGAIN_MS = 500;

interface ActivePlugin {
	readonly plugin: VolumePlugin;
	/** As it was found: one that listens elsewhere by now is another. */
	readonly address: string;
}

/** Volume plugins by name, found anew each time they are asked for, and greeted (`Plugin.Activate`) once. */
export class HttpVolumePlugins implements VolumePlugins {
	readonly #active = new Map<string, ActivePlugin>();

	constructor(
		private readonly directories: PluginDirectories,
		private readonly clock: Clock,
	) {}

	names(): string[] {
		return this.directories.names();
	}

	active(): string[] {
		return [...this.#active.keys()];
	}

	async find(name: string, { patient = false }: { readonly patient?: boolean } = {}): Promise<VolumePlugin> {
		const address = await this.#locate(name, patient);
		const key = JSON.stringify(address);
		const active = this.#active.get(name);
		if (active?.address === key) return active.plugin;
		const client = new PluginClient(address, this.clock);
		const { Implements } = await client.call("Plugin.Activate", {}, { timeoutMs: ACTIVATE_MS, patient });
		if (!Array.isArray(Implements) || !Implements.includes("VolumeDriver"))
			throw new NotFoundError(
				`Plugin does not implement the requested driver: plugin="${name}", requested implementation="VolumeDriver"`,
			);
		const plugin = new HttpVolumePlugin(name, client);
		this.#active.set(name, { plugin, address: key });
		return plugin;
	}

	async #locate(name: string, patient: boolean): Promise<PluginAddress> {
		const deadline = this.clock.now() + PATIENCE_MS;
		for (;;) {
			const address = this.directories.locate(name);
			if (address !== undefined) return address;
			if (!patient || this.clock.now() >= deadline) throw new NotFoundError(`plugin "${name}" not found`);
			await delay(this.clock, LOOK_AGAIN_MS);
		}
	}
}
