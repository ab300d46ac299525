/** The search of Docker's first registry protocol, `GET /v1/search`, still the only one there is. */
import { InvalidParameterError } from "../../base/errors.ts";
import { DEFAULT_DOMAIN } from "../../core/image/reference.ts";
import type { SearchResult } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";

/** `host/term` searches another registry than the default one. @throws InvalidParameterError */
export function searchOrigin(term: string): { readonly domain: string; readonly query: string } {
	if (term.includes("://"))
		throw new InvalidParameterError(`invalid repository name: repository name (${term}) should not have a scheme`);
	const slash = term.indexOf("/");
	const first = term.slice(0, Math.max(slash, 0));
	const isHost = slash >= 0 && (/[.:]/.test(first) || first === "localhost");
	const domain = !isHost || first === "index.docker.io" ? DEFAULT_DOMAIN : first;
	const query = isHost ? term.slice(slash + 1) : term;
	return { domain, query: domain === DEFAULT_DOMAIN ? query.replace(/^library\//, "") : query };
}

/** @throws RemoteError for what is no list of results */
export function parseSearch(body: string): SearchResult[] {
	let results: unknown;
	try {
		({ results } = JSON.parse(body) as { results?: unknown });
	} catch (cause) {
		throw new RemoteError(
			"Unexpected answer from search server: not JSON",
			{ status: 200, isTransient: false },
			{ cause },
		);
	}
	if (!Array.isArray(results))
		throw new RemoteError("the search server sends no results", { status: 200, isTransient: false });
	return results.filter((item) => typeof item?.name === "string").map(resultOf);
}

function resultOf(item: Record<string, unknown>): SearchResult {
	return {
		name: String(item["name"]),
		description: typeof item["description"] === "string" ? item["description"] : "",
		stars: Number(item["star_count"] ?? 0) || 0,
		isOfficial: item["is_official"] === true,
	};
}
