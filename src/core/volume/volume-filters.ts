import type { Filters } from "../../api/engine/filters.ts";
import type { Volume } from "../../api/engine/volume.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { VolumeRecord } from "./volume-record.ts";

/** `name` matches a part of the name, `driver` the whole, `label` one or all of `key` and `key=value`. */
export function matchesVolume(filters: Filters, volume: Pick<Volume, "Name" | "Driver" | "Labels">): boolean {
	const names = filters.get("name");
	if (names !== undefined && !names.some((name) => volume.Name.includes(name))) return false;
	const drivers = filters.get("driver");
	if (drivers !== undefined && !drivers.includes(volume.Driver)) return false;
	return (filters.get("label") ?? []).every((label) => hasLabel(volume.Labels ?? {}, label));
}

/** `label` and `label!` of prune. */
export function prunesVolume(filters: Filters, record: Pick<VolumeRecord, "labels">): boolean {
	return (
		(filters.get("label") ?? []).every((label) => hasLabel(record.labels, label)) &&
		!(filters.get("label!") ?? []).some((label) => hasLabel(record.labels, label))
	);
}

export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
	const equals = wanted.indexOf("=");
	if (equals < 0) return Object.hasOwn(labels, wanted);
	const key = wanted.slice(0, equals);
	return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

/** Undefined when the filter is not there. @throws InvalidParameterError */
export function parseBooleanFilter(filters: Filters, key: string): boolean | undefined {
	const values = filters.get(key);
	if (values === undefined || values.length === 0) return undefined;
	const parsed = values.map((value) => {
		if (value === "1" || value === "true") return true;
		if (value === "0" || value === "false") return false;
		throw new InvalidParameterError(`invalid filter '${key}=[${values.join(" ")}]'`);
	});
	if (parsed.some((value) => value !== parsed[0]))
		throw new InvalidParameterError(`invalid filter '${key}=[${values.join(" ")}]'`);
	return parsed[0];
}
