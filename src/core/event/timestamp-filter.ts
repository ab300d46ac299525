import type { Filters } from "../../api/engine/filters.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/units.ts";

/**
 * The `until` filter of the prune operations: a Unix time in seconds, a date, or a duration back from now.
 * @returns milliseconds since the epoch; infinity without the filter
 * @throws InvalidParameterError
 */
export function parseUntil(filters: Filters, nowMs: number): number {
	const values = filters.get("until");
	if (values === undefined || values.length === 0) return Number.POSITIVE_INFINITY;
	const [value] = values;
	if (values.length > 1 || value === undefined) throw new InvalidParameterError("more than one until filter specified");
	return parsePastTime(value, nowMs);
}

/**
 * A Unix time in seconds, a date, or a duration back from now (`24h`).
 * @returns milliseconds since the epoch
 * @throws InvalidParameterError
 */
export function parsePastTime(value: string, nowMs: number): number {
	if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
	// A date without a zone is read as UTC, whatever the daemon's zone is.
	const dated = /^\d{4}-\d\d-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?(Z|[+-]\d\d:\d\d)?$/.test(value);
	if (dated) return Date.parse(/T.*(Z|[+-]\d\d:\d\d)$/.test(value) || !value.includes("T") ? value : `${value}Z`);
	return nowMs - durationMs(value);
}

function durationMs(text: string): number {
	try {
		return parseDurationMs(text);
	} catch (cause) {
		throw new InvalidParameterError(`failed to parse value as time or duration: "${text}"`, { cause });
	}
}
