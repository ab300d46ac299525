/** daemon.json's `builder`: how much the build cache may take. Docker's keys. */

import type { Filters } from "../../api/engine/filters.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseBytes } from "../../base/units.ts";
import { type PruneLimits, pruneMatcher } from "./prune-plan.ts";

/** One rule; its limits hold for the whole cache, its filters say what goes. */
export interface CacheRule extends PruneLimits {
	readonly all: boolean;
	readonly filters: Filters;
}

type Table = Readonly<Record<string, unknown>>;

/** Without a word about it, the cache may have this part of the file system. */
const DEFAULT_SHARE = 0.1;
const NO_FILTERS: Filters = new Map();

/** @param totalBytes of the file system, for shares of it. @throws InvalidParameterError naming the key */
export function parseCacheRules(builder: Table, totalBytes: number): CacheRule[] {
	checkKeys("builder", builder, ["gc", "entitlements"]);
	const gc = tableOf("builder.gc", builder["gc"] ?? {});
	checkKeys("builder.gc", gc, [
		"enabled",
		"defaultKeepStorage",
		"defaultReservedSpace",
		"defaultMaxUsedSpace",
		"defaultMinFreeSpace",
		"policy",
	]);
	if (gc["enabled"] === false) return [];
	if (gc["enabled"] !== undefined && gc["enabled"] !== true)
		throw new InvalidParameterError("builder.gc.enabled must be true or false");
	const space = (table: Table, where: string, ...keys: readonly string[]) => {
		const key = keys.find((name) => table[name] !== undefined && table[name] !== "");
		return key === undefined ? 0 : bytesOf(`${where}.${key}`, table[key], totalBytes);
	};
	const policy = gc["policy"] ?? [];
	if (!Array.isArray(policy)) throw new InvalidParameterError("builder.gc.policy must be a list");
	if (policy.length > 0)
		return policy.map((rule, index) => ruleOf(tableOf(`builder.gc.policy[${index}]`, rule), index, space));
	const limits: PruneLimits = {
		reservedBytes: space(gc, "builder.gc", "defaultReservedSpace", "defaultKeepStorage"),
		maxUsedBytes: space(gc, "builder.gc", "defaultMaxUsedSpace"),
		minFreeBytes: space(gc, "builder.gc", "defaultMinFreeSpace"),
	};
	const isLimited = limits.reservedBytes + limits.maxUsedBytes + limits.minFreeBytes > 0;
	if (isLimited) return [{ all: true, filters: NO_FILTERS, ...limits }];
	const maxUsedBytes = Math.floor(totalBytes * DEFAULT_SHARE);
	return [{ all: true, filters: NO_FILTERS, reservedBytes: 0, maxUsedBytes, minFreeBytes: 0 }];
}

function ruleOf(
	rule: Table,
	index: number,
	space: (table: Table, where: string, ...keys: readonly string[]) => number,
): CacheRule {
	const where = `builder.gc.policy[${index}]`;
	checkKeys(where, rule, ["all", "filter", "keepStorage", "reservedSpace", "maxUsedSpace", "minFreeSpace"]);
	const filter = rule["filter"] ?? [];
	if (!Array.isArray(filter) || !filter.every((text) => typeof text === "string"))
		throw new InvalidParameterError(`${where}.filter must be a list of texts`);
	const filters = filtersOf(filter);
	// Says what is wrong with it now, and not when the cache is full.
	pruneMatcher(filters, 0);
	return {
		all: rule["all"] === true,
		filters,
		reservedBytes: space(rule, where, "reservedSpace", "keepStorage"),
		maxUsedBytes: space(rule, where, "maxUsedSpace"),
		minFreeBytes: space(rule, where, "minFreeSpace"),
	};
}

/** `unused-for=48h`, `type==exec.cachemount`, several joined by commas. */
function filtersOf(texts: readonly string[]): Filters {
	const filters = new Map<string, string[]>();
	for (const text of texts.flatMap((line) => line.split(","))) {
		const at = text.indexOf("=");
		const key = (at < 0 ? text : text.slice(0, at)).trim();
		const value =
			at < 0
				? ""
				: text
						.slice(at + 1)
						.replace(/^=/, "")
						.trim();
		filters.set(key, [...(filters.get(key) ?? []), value]);
	}
	return filters;
}

function bytesOf(key: string, value: unknown, totalBytes: number): number {
	if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
	if (typeof value !== "string") throw new InvalidParameterError(`${key} must be a size`);
	const percent = /^(\d+(?:\.\d+)?)%$/.exec(value.trim());
	if (percent !== null) return Math.floor((totalBytes * Number(percent[1])) / 100);
	try {
		return parseBytes(value);
	} catch (cause) {
		throw new InvalidParameterError(`${key} must be a size, not "${value}"`, { cause });
	}
}

function tableOf(key: string, value: unknown): Table {
	if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Table;
	throw new InvalidParameterError(`${key} must be an object`);
}

function checkKeys(where: string, table: Table, known: readonly string[]): void {
	const unknown = Object.keys(table).find((key) => !known.includes(key));
	if (unknown !== undefined)
		throw new InvalidParameterError(`${where}: unknown key "${unknown}"; there are ${known.join(", ")}`);
}
