/** The pages for browsers: repositories, their tags, what is in them. */
import { isDigest } from "../../base/digest.ts";
import { type ParsedManifest, parseManifest } from "../../core/registry/manifest.ts";
import { checkReference } from "../../core/registry/names.ts";
import { RegistryError, registryError } from "../../core/registry/registry-error.ts";
import { pageOf } from "../catalog.ts";
import { authorize, type Exchange, requireListing } from "../exchange.ts";
import type { StoredManifest } from "../manifests.ts";
import { visibleRepositories } from "../routes/listings.ts";
import { type Html, html, page, sizeText } from "./html.ts";
import { manifestParts } from "./manifest-parts.ts";

const PAGE_ENTRIES = 100;

export async function repositoriesPage(exchange: Exchange): Promise<Response> {
	requirePages(exchange);
	requireListing(exchange);
	const { searchParams } = exchange.url;
	const query = searchParams.get("q") ?? "";
	const names = (await visibleRepositories(exchange)).filter((name) => name.includes(query.trim().toLowerCase()));
	const shown = pageOf(names, { limit: PAGE_ENTRIES, last: searchParams.get("last") ?? "" });
	const rows = await Promise.all(shown.entries.map((name) => repositoryRow(exchange, name)));
	const table = html`<table><tr><th>Repository</th><th class="right">Tags</th></tr>${rows}</table>`;
	return page(
		"Repositories",
		query,
		html`<h1>Repositories</h1><div class="dim">${names.length === 1 ? "1 repository" : `${names.length} repositories`}</div>
<div class="card">${rows.length === 0 ? html`<div class="empty">Nothing here yet.</div>` : table}</div>${nextPage(shown.next, { q: query })}`,
	);
}

async function repositoryRow(exchange: Exchange, name: string): Promise<Html> {
	const tags = await exchange.registry.manifests.tags(name);
	return html`<tr><td><a href="/ui/repository/${name}">${name}</a></td><td class="right dim">${tags.length}</td></tr>`;
}

export async function repositoryPage(exchange: Exchange): Promise<Response> {
	requirePages(exchange);
	const name = authorize(exchange, "pull");
	const tags = await exchange.registry.manifests.tags(name);
	const shown = pageOf(tags, { limit: PAGE_ENTRIES, last: exchange.url.searchParams.get("last") ?? "" });
	const rows: Html[] = [];
	for (const tag of shown.entries) rows.push(await tagRow(exchange, name, tag));
	const pull = `${exchange.info.host}/${name}`;
	const table = html`<table><tr><th>Tag</th><th>Digest</th><th>Kind</th><th class="right">Size</th></tr>${rows}</table>`;
	return page(
		name,
		"",
		html`<h1>${name}</h1><div class="dim"><code>docker pull ${pull}</code></div>
<div class="card">${rows.length === 0 ? html`<div class="empty">No tags.</div>` : table}</div>${nextPage(shown.next, {})}`,
	);
}

async function tagRow(exchange: Exchange, name: string, tag: string): Promise<Html> {
	const link = html`<a href="/ui/tag/${name}/${tag}">${tag}</a>`;
	try {
		const stored = await exchange.registry.manifests.get(name, tag);
		const parsed = parseManifest(stored.bytes, stored.mediaType);
		return html`<tr><td>${link}</td><td><code class="dim">${stored.digest.slice(0, 19)}</code></td><td>${kindOf(parsed)}</td>
<td class="right">${parsed.manifests.length > 0 ? "" : sizeText(totalBytes(parsed))}</td></tr>`;
	} catch (error) {
		if (!(error instanceof RegistryError)) throw error;
		return html`<tr><td>${link}</td><td colspan="3" class="dim">not here</td></tr>`;
	}
}

export async function tagPage(exchange: Exchange): Promise<Response> {
	requirePages(exchange);
	const name = authorize(exchange, "pull");
	const reference = checkReference(exchange.params["reference"] ?? "");
	const stored: StoredManifest = await exchange.registry.manifests.get(name, reference);
	const parsed = parseManifest(stored.bytes, stored.mediaType);
	const separator = isDigest(reference) ? "@" : ":";
	const referrers = await exchange.registry.manifests.referrers(name, stored.digest);
	return page(
		`${name}${separator}${reference}`,
		"",
		html`<h1><a href="/ui/repository/${name}">${name}</a>${separator}${isDigest(reference) ? reference.slice(0, 19) : reference}</h1>
<div class="dim">${kindOf(parsed)}${parsed.manifests.length > 0 ? "" : `, ${sizeText(totalBytes(parsed))}`}</div>
<div class="card"><table><tr><th>Digest</th><td><code>${stored.digest}</code></td></tr><tr><th>Media type</th><td><code>${stored.mediaType}</code></td></tr>
<tr><th>Pull</th><td><code>docker pull ${exchange.info.host}/${name}${separator}${reference}</code></td></tr></table></div>
${await manifestParts(exchange, name, stored, parsed, referrers)}`,
	);
}

function kindOf(parsed: ParsedManifest): string {
	if (parsed.manifests.length > 0) return `index of ${parsed.manifests.length}`;
	const type = parsed.artifactType ?? "";
	return type === "" || /image\.(?:config\.)?v1\+json$/.test(type) ? "image" : type;
}

function totalBytes(parsed: ParsedManifest): number {
	return parsed.blobs.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
}

function nextPage(next: string | undefined, query: Readonly<Record<string, string>>): Html {
	return next === undefined
		? html``
		: html`<p><a href="?${new URLSearchParams({ ...query, last: next }).toString()}">Next page</a></p>`;
}

function requirePages(exchange: Exchange): void {
	if (!exchange.registry.hasPages) throw registryError("NAME_UNKNOWN", undefined, "page not found");
}
