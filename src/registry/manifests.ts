import { createHash } from "node:crypto";
import { type Digest, isDigest, sha256 } from "../base/digest.ts";
import { NotFoundError, SystemError } from "../base/errors.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import {
	MANIFEST_LIMIT_BYTES,
	type ManifestReference,
	type ParsedManifest,
	parseManifest,
} from "../core/registry/manifest.ts";
import { pathFor } from "../core/registry/paths.ts";
import { registryError } from "../core/registry/registry-error.ts";
import type { RegistryStorage } from "../core/registry/storage.ts";
import { type BlobService, listDigests } from "./blobs.ts";

const SMALL_LIMIT_BYTES = 64 << 10;

export interface StoredManifest {
	readonly digest: Digest;
	readonly mediaType: string;
	readonly bytes: Uint8Array;
}

export interface PutManifest {
	readonly digest: Digest;
	readonly parsed: ParsedManifest;
	readonly sizeBytes: number;
}

/** Entry of a referrers list. */
export interface ReferrerDescriptor {
	readonly mediaType: string;
	readonly digest: Digest;
	readonly size: number;
	readonly artifactType?: string;
	readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Manifests and the tags that name them. A manifest appears in this order: bytes, referrer's entry, revision, tag; and goes in
 * the reverse one, so that a crash in between leaves nothing that names what is not there.
 */
export class ManifestService {
	readonly #locks = new KeyedMutex();

	constructor(private readonly deps: { readonly storage: RegistryStorage; readonly blobs: BlobService }) {}

	/** @param reference a tag or a digest. @throws RegistryError MANIFEST_UNKNOWN */
	async resolve(name: string, reference: string): Promise<Digest> {
		if (isDigest(reference)) return reference;
		const path = pathFor({ kind: "tag", name, tag: reference });
		const text = await this.#readSmall(path, () => registryError("MANIFEST_UNKNOWN", { name, tag: reference }));
		if (!isDigest(text)) throw new SystemError(`tag ${name}:${reference} is corrupt`);
		return text;
	}

	/** @throws RegistryError MANIFEST_UNKNOWN */
	async get(name: string, reference: string): Promise<StoredManifest> {
		const digest = await this.resolve(name, reference);
		const unknown = () => registryError("MANIFEST_UNKNOWN", { name, revision: digest });
		const mediaType = await this.#readSmall(pathFor({ kind: "manifest", name, digest }), unknown);
		try {
			const bytes = await this.deps.storage.read(pathFor({ kind: "blob", digest }), MANIFEST_LIMIT_BYTES);
			return { digest, mediaType, bytes };
		} catch (error) {
			throw error instanceof NotFoundError ? unknown() : error;
		}
	}

	async has(name: string, digest: Digest): Promise<boolean> {
		try {
			await this.deps.storage.stat(pathFor({ kind: "manifest", name, digest }));
			return true;
		} catch (error) {
			if (error instanceof NotFoundError) return false;
			throw error;
		}
	}

	/**
	 * @param reference a tag, or the digest that the bytes must have
	 * @param manifest its `tags` are all that it gets
	 * @param check what it refers to must be here; a cache takes manifests whose parts come later
	 * @throws RegistryError MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID, TOO_LARGE
	 */
	async put(
		name: string,
		reference: string,
		manifest: { readonly bytes: Uint8Array; readonly contentType: string; readonly tags: readonly string[] },
		check: "complete" | "sparse" = "complete",
	): Promise<PutManifest> {
		const { bytes } = manifest;
		const parsed = parseManifest(bytes, manifest.contentType);
		const digest = digestLike(reference, bytes);
		if (isDigest(reference) && reference !== digest)
			throw registryError("DIGEST_INVALID", { expected: reference, found: digest });
		return await this.#locks.run(name, async () => {
			if (check === "complete") await this.#checkParts(name, parsed);
			await this.deps.blobs.write(digest, bytes);
			if (parsed.subject !== undefined) await this.#addReferrer(name, parsed.subject, digest, parsed, bytes.length);
			const { storage } = this.deps;
			await storage.write(pathFor({ kind: "manifest", name, digest }), Buffer.from(parsed.mediaType));
			for (const tag of manifest.tags) await this.#writeTag(name, tag, digest);
			return { digest, parsed, sizeBytes: bytes.length };
		});
	}

	/** Deletes the manifest with all its tags. @throws RegistryError MANIFEST_UNKNOWN */
	async delete(name: string, digest: Digest): Promise<void> {
		await this.#locks.run(name, async () => {
			const { bytes, mediaType } = await this.get(name, digest);
			for (const tag of await this.#tagsOf(name, digest))
				await this.deps.storage.delete(pathFor({ kind: "tag", name, tag }));
			await this.#deleteRevision(name, digest, parseManifest(bytes, mediaType).subject);
		});
	}

	/** Deletes the manifest when it is older than `cutoffMs` and has no tag. @returns whether it did */
	async deleteUntagged(name: string, digest: Digest, cutoffMs: number): Promise<boolean> {
		return await this.#locks.run(name, async () => {
			try {
				const { modifiedMs } = await this.deps.storage.stat(pathFor({ kind: "manifest", name, digest }));
				if (modifiedMs >= cutoffMs || (await this.#tagsOf(name, digest)).length > 0) return false;
				const { bytes, mediaType } = await this.get(name, digest);
				await this.#deleteRevision(name, digest, parseManifest(bytes, mediaType).subject);
				return true;
			} catch (error) {
				if (error instanceof NotFoundError) return false;
				throw error;
			}
		});
	}

	/** Milliseconds since the epoch when the tag, or the manifest, was last written or renewed; undefined when there is none. */
	async modifiedMs(name: string, reference: string): Promise<number | undefined> {
		try {
			return (await this.deps.storage.stat(referencePath(name, reference))).modifiedMs;
		} catch (error) {
			if (error instanceof NotFoundError) return undefined;
			throw error;
		}
	}

	/** Makes the tag or the manifest look just written. @throws RegistryError MANIFEST_UNKNOWN */
	async renew(name: string, reference: string): Promise<void> {
		try {
			await this.deps.storage.touch(referencePath(name, reference));
		} catch (error) {
			throw error instanceof NotFoundError ? registryError("MANIFEST_UNKNOWN", { name, reference }) : error;
		}
	}

	/** The manifest stays. @throws RegistryError MANIFEST_UNKNOWN */
	async deleteTag(name: string, tag: string): Promise<Digest> {
		return await this.#locks.run(name, async () => {
			const digest = await this.resolve(name, tag);
			await this.deps.storage.delete(pathFor({ kind: "tag", name, tag }));
			return digest;
		});
	}

	/** Sorted. */
	async tags(name: string): Promise<string[]> {
		return await this.deps.storage.list(pathFor({ kind: "tags-root", name }));
	}

	async *revisions(name: string): AsyncGenerator<Digest> {
		yield* listDigests(this.deps.storage, pathFor({ kind: "manifests-root", name }));
	}

	/** Manifests whose subject this is, sorted by digest. */
	async referrers(name: string, subject: Digest): Promise<ReferrerDescriptor[]> {
		const found: ReferrerDescriptor[] = [];
		for (const entry of await this.deps.storage.list(pathFor({ kind: "referrers", name, digest: subject }))) {
			const digest = entry.replace("-", ":");
			if (!isDigest(digest)) continue;
			try {
				const path = pathFor({ kind: "referrer", name, subject, digest });
				const bytes = await this.deps.storage.read(path, MANIFEST_LIMIT_BYTES);
				// A crash may have left the entry of a manifest that was never finished.
				if (await this.has(name, digest)) found.push(JSON.parse(Buffer.from(bytes).toString()));
			} catch (error) {
				if (!(error instanceof NotFoundError)) throw error;
			}
		}
		return found;
	}

	async #checkParts(name: string, parsed: ParsedManifest): Promise<void> {
		for (const blob of parsed.blobs) checkSize(blob, (await this.#blobOf(name, blob)).sizeBytes);
		for (const child of parsed.manifests) {
			if (!(await this.has(name, child.digest))) throw registryError("MANIFEST_BLOB_UNKNOWN", { digest: child.digest });
			// Renews its time, so that a collection which saw it without a tag leaves it.
			await this.deps.storage.touch(pathFor({ kind: "manifest", name, digest: child.digest }));
			checkSize(child, (await this.deps.storage.stat(pathFor({ kind: "blob", digest: child.digest }))).sizeBytes);
		}
	}

	async #blobOf(name: string, blob: ManifestReference): Promise<{ readonly sizeBytes: number }> {
		try {
			return await this.deps.blobs.rely(name, blob.digest);
		} catch (error) {
			throw registryError("MANIFEST_BLOB_UNKNOWN", { digest: blob.digest }, undefined, { cause: error });
		}
	}

	async #addReferrer(
		name: string,
		subject: Digest,
		digest: Digest,
		parsed: ParsedManifest,
		size: number,
	): Promise<void> {
		const descriptor: ReferrerDescriptor = {
			mediaType: parsed.mediaType,
			digest,
			size,
			...(parsed.artifactType === undefined ? {} : { artifactType: parsed.artifactType }),
			...(parsed.annotations === undefined ? {} : { annotations: parsed.annotations }),
		};
		const path = pathFor({ kind: "referrer", name, subject, digest });
		await this.deps.storage.write(path, Buffer.from(JSON.stringify(descriptor)));
	}

	async #writeTag(name: string, tag: string, digest: Digest): Promise<void> {
		await this.deps.storage.write(pathFor({ kind: "tag", name, tag }), Buffer.from(digest));
	}

	async #deleteRevision(name: string, digest: Digest, subject: Digest | undefined): Promise<void> {
		const { storage } = this.deps;
		await storage.delete(pathFor({ kind: "manifest", name, digest }));
		if (subject !== undefined) await storage.delete(pathFor({ kind: "referrer", name, subject, digest }));
	}

	async #tagsOf(name: string, digest: Digest): Promise<string[]> {
		const found: string[] = [];
		for (const tag of await this.tags(name)) if ((await this.#tagDigest(name, tag)) === digest) found.push(tag);
		return found;
	}

	async #tagDigest(name: string, tag: string): Promise<string> {
		return await this.#readSmall(pathFor({ kind: "tag", name, tag }), () => registryError("MANIFEST_UNKNOWN", { tag }));
	}

	async #readSmall(path: string, unknown: () => Error): Promise<string> {
		try {
			return Buffer.from(await this.deps.storage.read(path, SMALL_LIMIT_BYTES)).toString();
		} catch (error) {
			throw error instanceof NotFoundError ? unknown() : error;
		}
	}
}

function referencePath(name: string, reference: string): string {
	return pathFor(
		isDigest(reference) ? { kind: "manifest", name, digest: reference } : { kind: "tag", name, tag: reference },
	);
}

function digestLike(reference: string, bytes: Uint8Array): Digest {
	if (!reference.startsWith("sha512:")) return sha256(bytes);
	return `sha512:${createHash("sha512").update(bytes).digest("hex")}` as Digest;
}

function checkSize(reference: ManifestReference, sizeBytes: number): void {
	if (reference.sizeBytes === undefined || reference.sizeBytes === sizeBytes) return;
	throw registryError(
		"MANIFEST_INVALID",
		{ digest: reference.digest, size: reference.sizeBytes, found: sizeBytes },
		"manifest invalid: wrong size of a part",
	);
}
