/**
 * Mark and sweep while the registry is in use.
 *
 * Nothing younger than the grace period is touched, and whoever relies on a blob renews its link under the blob's lock
 * (`BlobService.rely`), where the sweep looks at the time again before it deletes. So between the moment a push learns that a blob
 * is here and the moment its manifest names it, the blob stays, as long as the push takes less than the grace period. A blob that
 * another repository takes over while a collection goes on is spared by that collection.
 *
 *   1. manifests that no tag leads to      only when asked for
 *   2. links that no manifest of their repository needs
 *   3. bytes that no link and no manifest of any repository needs
 */
import { type Digest, isDigest } from "../base/digest.ts";
import { NotFoundError } from "../base/errors.ts";
import { type ParsedManifest, parseManifest } from "../core/registry/manifest.ts";
import { pathFor } from "../core/registry/paths.ts";
import { RegistryError } from "../core/registry/registry-error.ts";
import { walkRepositories } from "./catalog.ts";
import type { Registry } from "./registry.ts";

export interface CollectionOptions {
	readonly graceMs: number;
	readonly collectsUntagged: boolean;
}

export interface Collection {
	readonly manifests: number;
	readonly links: number;
	readonly blobs: number;
	readonly sizeBytes: number;
}

type Deps = Pick<Registry, "storage" | "blobs" | "manifests" | "clock">;

export async function collectGarbage(
	deps: Deps,
	options: CollectionOptions,
	signal?: AbortSignal,
): Promise<Collection> {
	const cutoffMs = deps.clock.now() - options.graceMs;
	using _guard = deps.blobs.guardCollection();
	const needed = new Set<Digest>();
	let manifests = 0;
	let links = 0;
	for await (const name of walkRepositories(deps.storage, { withManifests: false })) {
		signal?.throwIfAborted();
		if (options.collectsUntagged) manifests += await collectUntagged(deps, name, cutoffMs);
		const inUse = await digestsInUse(deps, name);
		for (const digest of inUse) needed.add(digest);
		for await (const digest of deps.blobs.links(name)) {
			const path = pathFor({ kind: "link", name, digest });
			const isGone = !inUse.has(digest) && (await deps.blobs.deleteStale(path, digest, cutoffMs)) !== undefined;
			if (isGone) links++;
			else needed.add(digest);
		}
	}
	return { manifests, links, ...(await sweepBlobs(deps, needed, cutoffMs, signal)) };
}

/** Everything that the manifests of a repository need, and themselves. */
async function digestsInUse(deps: Deps, name: string): Promise<Set<Digest>> {
	const inUse = new Set<Digest>();
	for await (const digest of deps.manifests.revisions(name)) {
		inUse.add(digest);
		for (const blob of (await parsed(deps, name, digest))?.blobs ?? []) inUse.add(blob.digest);
	}
	return inUse;
}

async function sweepBlobs(deps: Deps, needed: ReadonlySet<Digest>, cutoffMs: number, signal: AbortSignal | undefined) {
	const root = pathFor({ kind: "blobs-root" });
	let blobs = 0;
	let sizeBytes = 0;
	for (const algorithm of await deps.storage.list(root))
		for (const shard of await deps.storage.list(`${root}/${algorithm}`)) {
			signal?.throwIfAborted();
			for (const hex of await deps.storage.list(`${root}/${algorithm}/${shard}`)) {
				const digest = `${algorithm}:${hex}`;
				if (!isDigest(digest) || needed.has(digest)) continue;
				const freed = await deps.blobs.deleteStale(pathFor({ kind: "blob", digest }), digest, cutoffMs);
				if (freed === undefined) continue;
				blobs++;
				sizeBytes += freed;
			}
		}
	return { blobs, sizeBytes };
}

/** Manifests that neither a tag, nor an index that is led to, nor a subject that is led to, needs. */
async function collectUntagged(deps: Deps, name: string, cutoffMs: number): Promise<number> {
	const all = new Map<Digest, ParsedManifest>();
	for await (const digest of deps.manifests.revisions(name)) {
		const manifest = await parsed(deps, name, digest);
		if (manifest !== undefined) all.set(digest, manifest);
	}
	const reached = reachable(all, await taggedDigests(deps, name));
	let removed = 0;
	for (const digest of all.keys()) {
		if (reached.has(digest)) continue;
		if (await deps.manifests.deleteUntagged(name, digest, cutoffMs)) removed++;
	}
	return removed;
}

async function taggedDigests(deps: Deps, name: string): Promise<Digest[]> {
	const found: Digest[] = [];
	for (const tag of await deps.manifests.tags(name)) {
		try {
			found.push(await deps.manifests.resolve(name, tag));
		} catch (error) {
			// Deleted since the listing.
			if (!(error instanceof RegistryError)) throw error;
		}
	}
	return found;
}

export function reachable(all: ReadonlyMap<Digest, ParsedManifest>, roots: readonly Digest[]): Set<Digest> {
	const referrers = new Map<Digest, Digest[]>();
	for (const [digest, { subject }] of all)
		if (subject !== undefined) referrers.set(subject, [...(referrers.get(subject) ?? []), digest]);
	const reached = new Set<Digest>();
	const waiting = [...roots];
	for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
		if (reached.has(digest)) continue;
		reached.add(digest);
		waiting.push(...(all.get(digest)?.manifests ?? []).map((child) => child.digest), ...(referrers.get(digest) ?? []));
	}
	return reached;
}

/** undefined when it was deleted meanwhile. */
async function parsed(deps: Deps, name: string, digest: Digest): Promise<ParsedManifest | undefined> {
	try {
		const { bytes, mediaType } = await deps.manifests.get(name, digest);
		return parseManifest(bytes, mediaType);
	} catch (error) {
		if (error instanceof NotFoundError || (error instanceof RegistryError && error.code === "MANIFEST_UNKNOWN"))
			return undefined;
		throw error;
	}
}
