import type { Volume } from "../../api/engine/volume.ts";
import type { PluginVolume } from "./volume-plugin.ts";
import type { VolumeRecord } from "./volume-record.ts";

const NO_TIME = "0001-01-01T00:00:00Z";

/** A volume as the API shows it. @param mountpoint of its files, empty when that is not known */
export function viewVolume(record: VolumeRecord, mountpoint: string, scope: Volume["Scope"] = "local"): Volume {
	return {
		CreatedAt: new Date(record.createdAt).toISOString().replace(/\.\d+Z$/, "Z"),
		Driver: record.driver,
		Labels: orNull(record.labels),
		Mountpoint: mountpoint,
		Name: record.name,
		Options: orNull(record.options),
		Scope: scope,
	};
}

/** A plugin's volume; `record` is absent for one that was not made here. */
export function viewPluginVolume(
	volume: PluginVolume,
	plugin: { readonly name: string; readonly scope: Volume["Scope"] },
	record: VolumeRecord | undefined,
): Volume {
	return {
		CreatedAt: volume.createdAt ?? NO_TIME,
		Driver: plugin.name,
		Labels: orNull(record?.labels ?? {}),
		Mountpoint: volume.mountpoint,
		Name: volume.name,
		Options: orNull(record?.options ?? {}),
		Scope: plugin.scope,
	};
}

function orNull(map: Readonly<Record<string, string>>): Record<string, string> | null {
	return Object.keys(map).length === 0 ? null : { ...map };
}
