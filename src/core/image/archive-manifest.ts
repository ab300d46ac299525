/** What an image archive says of itself: `manifest.json` of docker's archives, `index.json` of OCI layouts. */
import type { Descriptor, Index, Manifest, Platform } from "../../api/oci/image.ts";
import { type Digest, isDigest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseReference } from "./reference.ts";

/** One image of an archive: where its parts are. */
export interface ArchivedImage {
	/** Path or digest of the configuration. */
	readonly config: string;
	/** Paths or digests of the layers, lowest first. */
	readonly layers: readonly string[];
	/** As written, not yet checked. */
	readonly tags: readonly string[];
	readonly parent: string | undefined;
}

/** @throws InvalidParameterError */
export function parseDockerManifest(bytes: Uint8Array): ArchivedImage[] {
	const items = parseJson(bytes, "manifest.json");
	if (!Array.isArray(items)) throw new InvalidParameterError("invalid archive: manifest.json is no list");
	return items.map((item: unknown) => {
		const { Config, Layers, RepoTags, Parent } = (item ?? {}) as Record<string, unknown>;
		if (typeof Config !== "string" || !isTextList(Layers ?? []) || !isTextList(RepoTags ?? []))
			throw new InvalidParameterError("invalid archive: manifest.json has an invalid item");
		return {
			config: Config,
			layers: (Layers ?? []) as string[],
			tags: (RepoTags ?? []) as string[],
			parent: typeof Parent === "string" && Parent !== "" ? Parent : undefined,
		};
	});
}

/** An index or a manifest, by what is in it. @throws InvalidParameterError */
export function parseIndexOrManifest(bytes: Uint8Array, name: string): Index | Manifest {
	const value = parseJson(bytes, name) as Partial<Index & Manifest> | null;
	if (value !== null && Array.isArray(value.manifests) && value.manifests.every(isDescriptor)) return value as Index;
	if (value !== null && isDescriptor(value.config) && Array.isArray(value.layers) && value.layers.every(isDescriptor))
		return value as Manifest;
	throw new InvalidParameterError(`invalid archive: ${name} is neither an image index nor an image manifest`);
}

export function imageOfManifest(manifest: Manifest, tags: readonly string[]): ArchivedImage {
	return {
		config: manifest.config.digest,
		layers: manifest.layers.map(({ digest }) => digest),
		tags,
		parent: undefined,
	};
}

/** The names an index gives one of its images. */
export function descriptorTags(descriptor: Descriptor): string[] {
	const whole = descriptor.annotations?.["io.containerd.image.name"];
	if (whole !== undefined) return [whole];
	const name = descriptor.annotations?.["org.opencontainers.image.ref.name"];
	// Often only a tag, whose repository nobody tells.
	return name?.includes(":") || name?.includes("/") ? [name] : [];
}

/** The descriptors of a nested index that suit a platform; those that are no images (attestations) never do. */
export function suitable(index: Index, platform: Platform): Descriptor[] {
	const fits = index.manifests.filter(
		({ platform: own }) => own === undefined || (own.os === platform.os && own.architecture === platform.architecture),
	);
	return fits.filter(({ annotations }) => annotations?.["vnd.docker.reference.type"] === undefined);
}

/** @throws InvalidParameterError for a tag that is none */
export function checkTag(tag: string): ReturnType<typeof parseReference> {
	const named = parseReference(tag);
	if (named.tag === undefined) throw new InvalidParameterError(`invalid tag "${tag}"`);
	return named;
}

function parseJson(bytes: Uint8Array, name: string): unknown {
	try {
		return JSON.parse(Buffer.from(bytes).toString("utf8"));
	} catch (cause) {
		throw new InvalidParameterError(`invalid archive: ${name} is not JSON`, { cause });
	}
}

function isTextList(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isDescriptor(value: unknown): value is Descriptor {
	const { digest } = (value ?? {}) as { digest?: Digest };
	return typeof digest === "string" && isDigest(digest);
}
