import type { Filters } from "../../api/engine/filters.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { hasLabel, parseBooleanFilter } from "../volume/volume-filters.ts";
import { isPredefinedNetwork, type NetworkRecord } from "./network-record.ts";

export const NETWORK_FILTERS: readonly string[] = ["dangling", "driver", "id", "label", "name", "scope", "type"];

/**
 * The filters of `GET /networks`: `id` and `name` match a part, predefined networks never dangle.
 * @throws InvalidParameterError
 */
export function matchesNetwork(filters: Filters, record: NetworkRecord, isUsed: boolean): boolean {
	const oneOf = (key: string, matches: (value: string) => boolean) => filters.get(key)?.some(matches) ?? true;
	const predefined = isPredefinedNetwork(record.name);
	const dangling = parseDangling(filters);
	return (
		oneOf("driver", (value) => record.driver === value) &&
		oneOf("id", (value) => record.id.includes(value)) &&
		oneOf("name", (value) => record.name.includes(value)) &&
		oneOf("scope", (value) => value === "local") &&
		(filters.get("label") ?? []).every((label) => hasLabel(record.labels, label)) &&
		oneOf("type", (value) => isOfType(value, predefined)) &&
		(dangling === undefined || dangling === (!isUsed && !predefined))
	);
}

function parseDangling(filters: Filters): boolean | undefined {
	try {
		return parseBooleanFilter(filters, "dangling");
	} catch (cause) {
		if (!(cause instanceof InvalidParameterError)) throw cause;
		throw new InvalidParameterError(
			'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")',
			{ cause },
		);
	}
}

function isOfType(type: string, predefined: boolean): boolean {
	if (type === "builtin") return predefined;
	if (type === "custom") return !predefined;
	throw new InvalidParameterError(`invalid filter: 'type'='${type}'`);
}
