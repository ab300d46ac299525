import { isRepositoryName } from "../core/registry/names.ts";
import { pathFor } from "../core/registry/paths.ts";
import { registryError } from "../core/registry/registry-error.ts";
import type { RegistryStorage } from "../core/registry/storage.ts";

/** Names of the repositories with a manifest or a blob; those with manifests only when `withManifests`. In no order. */
export async function* walkRepositories(
	storage: RegistryStorage,
	options: { readonly withManifests: boolean },
	prefix = "",
): AsyncGenerator<string> {
	const root = prefix === "" ? pathFor({ kind: "repositories-root" }) : pathFor({ kind: "repository", name: prefix });
	const entries = await storage.list(root);
	const isRepository = entries.includes("_manifests") || (!options.withManifests && entries.includes("_blobs"));
	if (prefix !== "" && isRepository) yield prefix;
	for (const entry of entries) {
		const name = prefix === "" ? entry : `${prefix}/${entry}`;
		if (isRepositoryName(name)) yield* walkRepositories(storage, options, name);
	}
}

export interface Page<T> {
	readonly entries: readonly T[];
	/** Where the next page begins (exclusive); undefined on the last one. */
	readonly next: string | undefined;
}

export interface PageQuery {
	/** Entries on a page; all when undefined. */
	readonly limit: number | undefined;
	/** Only entries after this one. */
	readonly last: string;
}

/** @param sorted by code unit, as JavaScript sorts */
export function pageOf(sorted: readonly string[], query: PageQuery): Page<string> {
	const rest = query.last === "" ? sorted : sorted.filter((entry) => entry > query.last);
	const entries = query.limit === undefined ? rest : rest.slice(0, query.limit);
	return { entries, next: entries.length > 0 && entries.length < rest.length ? entries.at(-1) : undefined };
}

/** `n` and `last` of a request. @throws RegistryError PAGINATION_NUMBER_INVALID */
export function pageQuery(query: URLSearchParams): PageQuery {
	const n = query.get("n");
	if (n !== null && !/^\d{1,9}$/.test(n)) throw registryError("PAGINATION_NUMBER_INVALID", { n });
	return { limit: n === null ? undefined : Number(n), last: query.get("last") ?? "" };
}
