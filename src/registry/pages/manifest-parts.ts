import { NotFoundError, SystemError } from "../../base/errors.ts";
import type { ParsedManifest } from "../../core/registry/manifest.ts";
import { pathFor } from "../../core/registry/paths.ts";
import type { Exchange } from "../exchange.ts";
import type { ReferrerDescriptor, StoredManifest } from "../manifests.ts";
import { type Html, html, sizeText } from "./html.ts";

const CONFIG_LIMIT_BYTES = 1 << 20;

interface ImageConfig {
	readonly os?: unknown;
	readonly architecture?: unknown;
	readonly created?: unknown;
	readonly history?: unknown;
}

/** What a manifest is made of: platforms of an index, layers of an image, what refers to it, and its own text. */
export async function manifestParts(
	exchange: Exchange,
	name: string,
	stored: StoredManifest,
	parsed: ParsedManifest,
	referrers: readonly ReferrerDescriptor[],
): Promise<Html> {
	return html`${platforms(name, stored)}${await layers(exchange, parsed)}${referrerList(name, referrers)}
<h2>Manifest</h2><div class="card"><pre><code>${Buffer.from(stored.bytes).toString()}</code></pre></div>`;
}

function platforms(name: string, stored: StoredManifest): Html {
	const index: { manifests?: { digest?: string; size?: number; platform?: Record<string, unknown> }[] } = JSON.parse(
		Buffer.from(stored.bytes).toString(),
	);
	if (!Array.isArray(index.manifests)) return html``;
	const rows = index.manifests.map(({ digest = "", size = 0, platform = {} }) => {
		const text = [platform["os"], platform["architecture"], platform["variant"]].filter(
			(part) => typeof part === "string",
		);
		return html`<tr><td>${text.join("/") || "any"}</td><td><a href="/ui/tag/${name}/${digest}"><code>${digest}</code></a></td><td class="right">${sizeText(size)}</td></tr>`;
	});
	return html`<h2>Platforms</h2><div class="card"><table><tr><th>Platform</th><th>Digest</th><th class="right">Manifest</th></tr>${rows}</table></div>`;
}

async function layers(exchange: Exchange, parsed: ParsedManifest): Promise<Html> {
	if (parsed.manifests.length > 0 || parsed.blobs.length === 0) return html``;
	const config = await readConfig(exchange, parsed);
	const parts = parsed.blobs.filter((blob) => blob !== parsed.config);
	const steps = historySteps(config, parts.length);
	const largest = Math.max(1, ...parts.map(({ sizeBytes = 0 }) => sizeBytes));
	const rows = parts.map(
		({ digest, sizeBytes = 0, mediaType }, index) =>
			html`<tr><td class="dim">${index + 1}</td><td><code>${digest.slice(0, 19)}</code><div class="dim"><code>${steps[index] ?? mediaType}</code></div></td>
<td><meter min="0" max="${largest}" value="${sizeBytes}"></meter></td><td class="right">${sizeText(sizeBytes)}</td></tr>`,
	);
	const about = [config.os, config.architecture, config.created].filter((part) => typeof part === "string").join(", ");
	return html`<h2>Layers</h2><div class="dim">${about}</div><div class="card"><table>${rows}</table></div>`;
}

/** The commands that made the layers, when the configuration tells them for each. */
function historySteps(config: ImageConfig, layerCount: number): readonly string[] {
	if (!Array.isArray(config.history)) return [];
	const steps = config.history.flatMap((entry: { empty_layer?: unknown; created_by?: unknown } | null) =>
		entry?.empty_layer === true ? [] : [typeof entry?.created_by === "string" ? entry.created_by : ""],
	);
	return steps.length === layerCount ? steps : [];
}

async function readConfig(exchange: Exchange, parsed: ParsedManifest): Promise<ImageConfig> {
	if (parsed.config === undefined) return {};
	try {
		const bytes = await exchange.registry.storage.read(
			pathFor({ kind: "blob", digest: parsed.config.digest }),
			CONFIG_LIMIT_BYTES,
		);
		const value: unknown = JSON.parse(Buffer.from(bytes).toString());
		return typeof value === "object" && value !== null ? value : {};
	} catch (error) {
		// An artifact's configuration may be anything, and a cache may not have it.
		if (error instanceof NotFoundError || error instanceof SystemError || error instanceof SyntaxError) return {};
		throw error;
	}
}

function referrerList(name: string, referrers: readonly ReferrerDescriptor[]): Html {
	if (referrers.length === 0) return html``;
	const rows = referrers.map(
		({ digest, artifactType = "" }) =>
			html`<tr><td><a href="/ui/tag/${name}/${digest}"><code>${digest.slice(0, 19)}</code></a></td><td>${artifactType}</td></tr>`,
	);
	return html`<h2>Referrers</h2><div class="card"><table><tr><th>Digest</th><th>Kind</th></tr>${rows}</table></div>`;
}
