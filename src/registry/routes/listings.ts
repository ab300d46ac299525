import { MEDIA_TYPE } from "../../api/oci/image.ts";
import { registryError } from "../../core/registry/registry-error.ts";
import { pageOf, pageQuery, walkRepositories } from "../catalog.ts";
import { authorize, type Exchange, nextLink, requireListing } from "../exchange.ts";
import { digestOf } from "./blobs.ts";

const CATALOG_PAGE = 100;
const CATALOG_LIMIT = 1000;
const REFERRERS_PAGE = 500;
const SEARCH_PAGE = 25;
const SEARCH_LIMIT = 100;

export async function listTags(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "pull");
	const { registry } = exchange;
	const tags = await (registry.pullThrough?.tags(name) ?? registry.manifests.tags(name));
	if (tags.length === 0 && !(await exists(exchange, name))) throw registryError("NAME_UNKNOWN", { name });
	const query = pageQuery(exchange.url.searchParams);
	const page = pageOf(tags, query);
	const link = page.next === undefined ? undefined : nextLink(exchange, { last: page.next, n: String(query.limit) });
	return Response.json({ name, tags: page.entries }, { headers: link === undefined ? {} : { Link: link } });
}

async function exists(exchange: Exchange, name: string): Promise<boolean> {
	for await (const _ of exchange.registry.manifests.revisions(name)) return true;
	for await (const _ of exchange.registry.blobs.links(name)) return true;
	return false;
}

export async function listCatalog(exchange: Exchange): Promise<Response> {
	requireListing(exchange);
	const query = pageQuery(exchange.url.searchParams);
	const limit = Math.min(query.limit ?? CATALOG_PAGE, CATALOG_LIMIT);
	const page = pageOf(await visibleRepositories(exchange), { ...query, limit });
	const link = page.next === undefined ? undefined : nextLink(exchange, { last: page.next, n: String(limit) });
	return Response.json({ repositories: page.entries }, { headers: link === undefined ? {} : { Link: link } });
}

/** Names of repositories with manifests that the asker may pull from, sorted. */
export async function visibleRepositories(exchange: Exchange): Promise<string[]> {
	const names: string[] = [];
	for await (const name of walkRepositories(exchange.registry.storage, { withManifests: true }))
		if (exchange.identity.sees(name)) names.push(name);
	return names.sort();
}

export async function listReferrers(exchange: Exchange): Promise<Response> {
	const name = authorize(exchange, "pull");
	const subject = digestOf(exchange.params["digest"]);
	const { searchParams } = exchange.url;
	const all = await exchange.registry.manifests.referrers(name, subject);
	const wanted = searchParams.getAll("artifactType");
	const filtered = all.filter(({ artifactType = "" }) => wanted.length === 0 || wanted.includes(artifactType));
	const page = pageOf(filtered.map(({ digest }) => digest).sort(), {
		limit: REFERRERS_PAGE,
		last: searchParams.get("last") ?? "",
	});
	const shown = new Set(page.entries);
	const index = {
		schemaVersion: 2,
		mediaType: MEDIA_TYPE.ociIndex,
		manifests: filtered.filter(({ digest }) => shown.has(digest)),
	};
	return new Response(JSON.stringify(index), {
		headers: {
			"Content-Type": MEDIA_TYPE.ociIndex,
			...(wanted.length === 0 ? {} : { "OCI-Filters-Applied": "artifactType" }),
			...(page.next === undefined ? {} : { Link: nextLink(exchange, { last: page.next }) }),
		},
	});
}

/** Search as `docker search` asks it: repositories whose name contains the text, the best match first. */
export async function search(exchange: Exchange): Promise<Response> {
	requireListing(exchange);
	const { searchParams } = exchange.url;
	const query = (searchParams.get("q") ?? "").trim();
	const pageSize = bounded(searchParams.get("n"), SEARCH_PAGE, SEARCH_LIMIT);
	const page = bounded(searchParams.get("page"), 1, 1_000_000);
	const text = query.toLowerCase().replace(/^library\//, "");
	const hits = (await visibleRepositories(exchange)).filter((name) => name.includes(text)).sort(byCloseness(text));
	const results = hits.slice((page - 1) * pageSize, page * pageSize).map((name) => ({
		name: name.replace(/^library\//, ""),
		description: "",
		star_count: 0,
		is_official: name.startsWith("library/"),
		is_automated: false,
		is_trusted: false,
	}));
	const pages = Math.max(1, Math.ceil(hits.length / pageSize));
	return Response.json({ num_pages: pages, num_results: hits.length, page, page_size: pageSize, query, results });
}

function byCloseness(text: string): (a: string, b: string) => number {
	const distance = (name: string) => {
		const last = name.slice(name.lastIndexOf("/") + 1);
		return last === text ? 0 : last.startsWith(text) ? 1 : 2;
	};
	return (a, b) => distance(a) - distance(b) || (a < b ? -1 : 1);
}

function bounded(text: string | null, fallback: number, limit: number): number {
	return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Math.min(Number(text), limit) : fallback;
}
