import type { GcRequest } from "../../api/engine/gc.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseBytes, parseDurationMs } from "../../base/units.ts";
import type { DiskFacts } from "./consumer.ts";

/** An amount of disk: bytes, or a share of the file system. */
export type GcSpace =
	| { readonly kind: "bytes"; readonly bytes: number }
	| { readonly kind: "percent"; readonly percent: number };

/** When images and build cache are removed without anybody asking. Undefined limits do not hold. */
export interface GcPolicy {
	/** Whether it runs by itself, too; asked for, it always runs. */
	readonly isEnabled: boolean;
	/** Images and build cache together may take so much. */
	readonly maxUsed: GcSpace | undefined;
	/** So much of the file system must stay free, whatever fills it. */
	readonly minFree: GcSpace | undefined;
	/** What was not used for so long goes, however much space there is. */
	readonly unusedForMs: number | undefined;
	/** What was used more recently stays, however little space there is: it may be needed again next. */
	readonly graceMs: number;
	/** Patterns of image names that stay (as in the filter `reference`). */
	readonly keep: readonly string[];
	/** Between two collections. */
	readonly intervalMs: number;
}

const MINUTE_MS = 60_000;

export const DEFAULT_GC_POLICY: GcPolicy = {
	isEnabled: false,
	maxUsed: undefined,
	minFree: undefined,
	unusedForMs: undefined,
	graceMs: 10 * MINUTE_MS,
	keep: [],
	intervalMs: 10 * MINUTE_MS,
};

const KEYS = ["enabled", "max-used-space", "min-free-space", "unused-for", "grace", "keep", "interval"] as const;

/**
 * From daemon.json's `gc`. Where it says anything and not `"enabled": false`, it is on.
 * @throws InvalidParameterError naming the key
 */
export function parseGcPolicy(values: Readonly<Record<string, unknown>>): GcPolicy {
	for (const key of Object.keys(values))
		if (!KEYS.some((known) => known === key))
			throw new InvalidParameterError(`gc: unknown key "${key}"; there are ${KEYS.join(", ")}`);
	const { enabled = true, keep = [] } = values;
	if (typeof enabled !== "boolean") throw wrong("enabled", "true or false");
	if (!Array.isArray(keep) || !keep.every((pattern) => typeof pattern === "string" && pattern !== ""))
		throw wrong("keep", "a list of names");
	const { graceMs, intervalMs } = DEFAULT_GC_POLICY;
	const policy: GcPolicy = {
		isEnabled: enabled,
		maxUsed: space(values, "max-used-space"),
		minFree: space(values, "min-free-space"),
		unusedForMs: duration(values, "unused-for"),
		graceMs: duration(values, "grace") ?? graceMs,
		keep: keep as readonly string[],
		intervalMs: duration(values, "interval") ?? intervalMs,
	};
	if (policy.intervalMs < 1000) throw wrong("interval", "at least 1s");
	if (enabled && !hasLimit(policy))
		throw new InvalidParameterError(
			`gc: nothing would ever be removed; give max-used-space, min-free-space or unused-for, or "enabled": false`,
		);
	return policy;
}

/** What a request says instead of the policy. @throws InvalidParameterError */
export function overridePolicy(policy: GcPolicy, request: GcRequest): GcPolicy {
	const { MaxUsedSpace, MinFreeSpace, UnusedFor } = request;
	const given: Record<string, unknown> = {};
	if (MaxUsedSpace !== undefined) given["max-used-space"] = MaxUsedSpace;
	if (MinFreeSpace !== undefined) given["min-free-space"] = MinFreeSpace;
	if (UnusedFor !== undefined) given["unused-for"] = UnusedFor;
	return {
		...policy,
		maxUsed: space(given, "max-used-space") ?? policy.maxUsed,
		minFree: space(given, "min-free-space") ?? policy.minFree,
		unusedForMs: duration(given, "unused-for") ?? policy.unusedForMs,
	};
}

/** Whether anything can make it remove something. */
export function hasLimit({ maxUsed, minFree, unusedForMs }: GcPolicy): boolean {
	return maxUsed !== undefined || minFree !== undefined || unusedForMs !== undefined;
}

/** `50GB`, `512m` (binary, as all of docker's sizes) or `20%` of the file system. @throws InvalidParameterError */
export function parseGcSpace(text: string): GcSpace {
	const match = /^(\d+(?:\.\d+)?) ?%$/.exec(text.trim());
	if (match === null) return { kind: "bytes", bytes: parseBytes(text) };
	const percent = Number(match[1]);
	if (percent > 100) throw new InvalidParameterError(`invalid size: '${text}'`);
	return { kind: "percent", percent };
}

export function spaceBytes(space: GcSpace, { totalBytes }: DiskFacts): number {
	return space.kind === "bytes" ? space.bytes : Math.floor((totalBytes * space.percent) / 100);
}

function space(values: Readonly<Record<string, unknown>>, key: string): GcSpace | undefined {
	const value = values[key];
	if (value === undefined) return undefined;
	if (typeof value === "number" && Number.isInteger(value) && value >= 0) return { kind: "bytes", bytes: value };
	if (typeof value !== "string") throw wrong(key, 'a size ("50GB") or a share ("20%")');
	return named(key, () => parseGcSpace(value));
}

function duration(values: Readonly<Record<string, unknown>>, key: string): number | undefined {
	const value = values[key];
	if (value === undefined) return undefined;
	if (typeof value !== "string") throw wrong(key, 'a duration ("168h")');
	const ms = named(key, () => parseDurationMs(value));
	if (ms < 0) throw wrong(key, "a duration that is not negative");
	return ms;
}

function named<T>(key: string, parse: () => T): T {
	try {
		return parse();
	} catch (cause) {
		if (!(cause instanceof InvalidParameterError)) throw cause;
		throw new InvalidParameterError(`gc: ${key}: ${cause.message}`, { cause });
	}
}

function wrong(key: string, wanted: string): InvalidParameterError {
	return new InvalidParameterError(`gc: ${key} must be ${wanted}`);
}
