/** Volumes kept by other programs, over Docker's plugin protocol (docs.docker.com/engine/extend/plugins_volume). */

import { UnavailableError } from "../../base/errors.ts";

/** Nobody listens where the plugin should: what was asked has not been done. */
export class PluginUnreachableError extends UnavailableError {}

/** A volume as its plugin tells of it. */
export interface PluginVolume {
	readonly name: string;
	/** Empty while it is mounted nowhere. */
	readonly mountpoint: string;
	/** RFC 3339; absent where the plugin does not say. */
	readonly createdAt?: string;
	readonly status?: Readonly<Record<string, unknown>>;
}

/** Every method throws SystemError with what the plugin says, UnavailableError when it answers late or nonsense. */
export interface VolumePlugin {
	readonly name: string;
	/** Whether its volumes are seen on other machines, too. */
	scope(): Promise<"local" | "global">;
	create(name: string, options: Readonly<Record<string, string>>): Promise<void>;
	remove(name: string): Promise<void>;
	/** Undefined for whatever the plugin calls an error: each says in words of its own that there is no such volume. */
	get(name: string): Promise<PluginVolume | undefined>;
	list(): Promise<PluginVolume[]>;
	/** Where it is mounted on this machine, empty when it is not. */
	path(name: string): Promise<string>;
	/** @param id of who mounts it; plugins count by it. @returns the directory on this machine */
	mount(name: string, id: string): Promise<string>;
	unmount(name: string, id: string): Promise<void>;
}

export interface VolumePlugins {
	/** Names of all plugins on this machine, whatever they do; nobody is asked for that. */
	names(): string[];
	/** Names of those that were used as volume drivers so far. */
	active(): string[];
	/**
	 * @param options.patient wait for one that is just being started: a container may start with the machine, and its plugin, too
	 * @throws NotFoundError `plugin "x" not found`, UnavailableError
	 */
	find(name: string, options?: { readonly patient?: boolean }): Promise<VolumePlugin>;
}
