/** Which cache records go: what a prune asks for, and what the size budget wants. Pure. */
import type { Filters } from "../../api/engine/filters.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { CacheRecord } from "./cache-record.ts";

export interface PrunableRecord extends CacheRecord {
	readonly inUse: boolean;
	/** An image has its layer, too: removing the record frees nothing. */
	readonly isShared: boolean;
}

export interface PruneLimits {
	/** Bytes that are kept whatever else is said. */
	readonly reservedBytes: number;
	/** The most the cache may have; 0: no limit. */
	readonly maxUsedBytes: number;
	/** Bytes that ought to be free on the disk; 0: no matter. */
	readonly minFreeBytes: number;
}

export interface PruneRequest extends PruneLimits {
	/** Internal records and those that images share as well. */
	readonly all: boolean;
	readonly filters: Filters;
	/** Of the file system. */
	readonly freeBytes: number;
	/** Milliseconds since the epoch. */
	readonly now: number;
}

const NO_LIMITS: PruneLimits = { reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0 };

/** Records to remove, those not used for the longest time first. @throws InvalidParameterError for a filter that is none */
export function planPrune(records: readonly PrunableRecord[], request: PruneRequest): PrunableRecord[] {
	const matches = pruneMatcher(request.filters, request.now);
	const candidates = records
		.filter((record) => !record.inUse && (request.all || isOrdinary(record)) && matches(record))
		.sort((a, b) => a.lastUsedAt - b.lastUsedAt || a.usageCount - b.usageCount);
	if (sameLimits(request, NO_LIMITS)) return candidates;
	let used = records.reduce((sum, record) => sum + (record.isShared ? 0 : record.sizeBytes), 0);
	let free = request.freeBytes;
	const chosen: PrunableRecord[] = [];
	for (const record of candidates) {
		if (!isOver(used, free, request)) break;
		chosen.push(record);
		const freed = record.isShared ? 0 : record.sizeBytes;
		used -= freed;
		free += freed;
	}
	return chosen;
}

function isOrdinary(record: PrunableRecord): boolean {
	return record.kind !== "internal" && record.kind !== "frontend" && !record.isShared;
}

function isOver(used: number, free: number, limits: PruneLimits): boolean {
	if (used <= limits.reservedBytes) return false;
	const { maxUsedBytes, minFreeBytes } = limits;
	if (maxUsedBytes === 0 && minFreeBytes === 0) return true;
	return (maxUsedBytes > 0 && used > maxUsedBytes) || (minFreeBytes > 0 && free < minFreeBytes);
}

function sameLimits(a: PruneLimits, b: PruneLimits): boolean {
	return a.reservedBytes === b.reservedBytes && a.maxUsedBytes === b.maxUsedBytes && a.minFreeBytes === b.minFreeBytes;
}

type Match = (record: PrunableRecord, value: string) => boolean;

const FILTERS: Readonly<Record<string, Match>> = {
	id: (record, value) => matchesText(record.id, value),
	parent: (record, value) => record.parents.some((parent) => matchesText(parent, value)),
	parents: (record, value) => record.parents.some((parent) => matchesText(parent, value)),
	type: (record, value) => record.kind === value,
	description: (record, value) => matchesText(record.description, value),
	inuse: (record, value) => record.inUse === isTrue(value),
	mutable: (record, value) => (record.isDirectory === true) === isTrue(value),
	immutable: (record, value) => (record.isDirectory !== true) === isTrue(value),
	shared: (record, value) => record.isShared === isTrue(value),
	private: (record, value) => !record.isShared === isTrue(value),
};

/** All keys must match; of one key's values any. A value in front of which stands `~` is a regular expression, as in BuildKit's filters. */
export function pruneMatcher(filters: Filters, now: number): (record: PrunableRecord) => boolean {
	const checks: ((record: PrunableRecord) => boolean)[] = [];
	for (const [key, values] of filters) {
		if (values.length === 0) continue;
		if (key === "until" || key === "unused-for") {
			if (values.length > 1) throw new InvalidParameterError(`more than one "${key}" filter specified`);
			const before = now - durationMs(values[0] ?? "", now);
			checks.push(({ lastUsedAt }) => lastUsedAt <= before);
			continue;
		}
		const match = FILTERS[key];
		if (match === undefined) throw new InvalidParameterError(`invalid filter '${key}'`);
		checks.push((record) => values.some((value) => match(record, value)));
	}
	return (record) => checks.every((check) => check(record));
}

function matchesText(text: string, value: string): boolean {
	if (!value.startsWith("~")) return text === value;
	try {
		return new RegExp(value.slice(1)).test(text);
	} catch (cause) {
		throw new InvalidParameterError(`invalid regular expression in a filter: ${value.slice(1)}`, { cause });
	}
}

function isTrue(value: string): boolean {
	return value === "" || value === "1" || value.toLowerCase() === "true";
}

const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** A duration as Go writes it (`24h`, `1h30m`), or a time in the past. */
function durationMs(text: string, now: number): number {
	if (/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text))
		return [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)].reduce(
			(sum, [, number = "0", unit = "s"]) => sum + Number(number) * (UNITS_MS[unit] ?? 0),
			0,
		);
	const time = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
	if (Number.isNaN(time)) throw new InvalidParameterError(`invalid duration "${text}"`);
	return now - time;
}
