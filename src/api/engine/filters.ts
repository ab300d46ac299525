import { InvalidParameterError } from "../../base/errors.ts";

/** Docker's `filters` parameter: key -> values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads either JSON form: `{"label":["a=b"]}` and, from old clients, `{"label":{"a=b":true}}`.
 * @throws InvalidParameterError
 */
export function parseFilters(json: string | undefined): Filters {
	const filters = new Map<string, readonly string[]>();
	if (json === undefined || json === "") return filters;
	let parsed: unknown;
	try {
		parsed = JSON.parse(json);
	} catch (cause) {
		throw new InvalidParameterError("invalid filter: not a JSON object", { cause });
	}
	if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
		throw new InvalidParameterError("invalid filter: not a JSON object");
	for (const [key, value] of Object.entries(parsed)) filters.set(key, filterValues(key, value));
	return filters;
}

function filterValues(key: string, value: unknown): string[] {
	if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
	if (typeof value === "object" && value !== null && !Array.isArray(value))
		return Object.entries(value)
			.filter(([, chosen]) => chosen === true)
			.map(([item]) => item);
	throw new InvalidParameterError(`invalid filter '${key}'`);
}

/** @throws InvalidParameterError naming the first key that is not in `known`, as Docker words it. */
export function checkFilterKeys(filters: Filters, known: readonly string[]): void {
	for (const key of filters.keys())
		if (!known.includes(key)) throw new InvalidParameterError(`invalid filter '${key}'`);
}
