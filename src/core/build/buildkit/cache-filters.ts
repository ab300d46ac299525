/** Filters of cache records in containerd's syntax, as BuildKit's clients send them. */
import type { Filters } from "../../../api/engine/filters.ts";
import { InvalidParameterError, NotImplementedError } from "../../../base/errors.ts";

/** The key, then nothing (it is there), `==` or `=` (is), `~=` (matches); the value perhaps in quotes. */
const TERM = /^([\w.-]+)(?:(==|=|~=|!=)(.*))?$/s;

/**
 * @param texts all terms of one must hold
 * @param keepNs only what was not used for so long; 0: no matter
 * @throws InvalidParameterError, NotImplementedError for alternatives and negations
 */
export function pruneFilters(texts: readonly string[], keepNs: number): Filters {
	const filters = new Map<string, string[]>();
	const given = texts.filter((text) => text !== "");
	if (given.length > 1) throw new NotImplementedError("alternative filters are not supported");
	for (const term of given.flatMap((text) => text.split(","))) {
		const [, key, operator = "", value = ""] = TERM.exec(term.trim()) ?? [];
		if (key === undefined) throw new InvalidParameterError(`invalid filter ${JSON.stringify(term)}`);
		if (operator === "!=") throw new NotImplementedError(`filters that exclude are not supported: ${term}`);
		const plain = value.replace(/^"(.*)"$/s, "$1");
		filters.set(key, [...(filters.get(key) ?? []), operator === "~=" ? `~${plain}` : plain]);
	}
	if (keepNs > 0) filters.set("until", [`${Math.round(keepNs / 1e6)}ms`]);
	return filters;
}
