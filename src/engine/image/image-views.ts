import type { ContainerConfig } from "../../api/engine/container.ts";
import type { Filters } from "../../api/engine/filters.ts";
import type { ImageHistoryEntry, ImageInspect, ImageSummary } from "../../api/engine/image.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import type { Digest } from "../../base/digest.ts";
import { imageHistory } from "../../core/image/history.ts";
import { createdAtMs, matchImages } from "../../core/image/image-filters.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { familiar } from "../../core/image/reference.ts";
import { timestamp } from "../../core/image/timestamp.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerRegistry } from "./layer-registry.ts";

export interface ListOptions {
	readonly all: boolean;
	readonly sharedSize: boolean;
	readonly filters: Filters;
	readonly version: ApiVersion;
}

export interface ImageViewDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly snapshotter: Snapshotter;
	/** IDs of the images containers were made from, one per container. */
	readonly usedImages: () => readonly Digest[];
}

/** Images as the API shows them. */
export class ImageViews {
	constructor(readonly deps: ImageViewDependencies) {}

	list(options: ListOptions): ImageSummary[] {
		const { index } = this.deps;
		const images = matchImages(index, options.filters).filter(
			(image) => options.all || image.tags.length > 0 || index.children(image.id).length === 0,
		);
		const shared = options.sharedSize ? this.#sharedLayers() : undefined;
		return images
			.sort((a, b) => createdAtMs(b) - createdAtMs(a))
			.map((image) => this.#summary(image, shared, options.version));
	}

	/** @param version the older form of the configuration when there is none */
	inspect(image: ImageRecord, version: ApiVersion | undefined): ImageInspect {
		const { config } = image;
		return {
			Id: image.id,
			RepoTags: image.tags.map(familiar),
			RepoDigests: image.repoDigests.map(familiar),
			Parent: image.parent ?? "",
			Comment: config.comment ?? config.history?.at(-1)?.comment ?? "",
			...(config.created === undefined ? {} : { Created: config.created }),
			DockerVersion: config.docker_version ?? "",
			Author: config.author ?? "",
			Config: (version !== undefined && atLeast(version, 50) ? imageConfig : inspectedConfig)(config.config ?? {}),
			Architecture: config.architecture,
			...(config.variant === undefined ? {} : { Variant: config.variant }),
			Os: config.os,
			...(config["os.version"] === undefined ? {} : { OsVersion: config["os.version"] }),
			Size: image.sizeBytes,
			GraphDriver: { Name: this.deps.snapshotter.name, Data: this.#layerDirectories(image) },
			RootFS: {
				Type: "layers",
				...(config.rootfs.diff_ids.length === 0 ? {} : { Layers: [...config.rootfs.diff_ids] }),
			},
			Metadata: { LastTagTime: image.lastTaggedAt === 0 ? "0001-01-01T00:00:00Z" : timestamp(image.lastTaggedAt) },
		};
	}

	history(image: ImageRecord): ImageHistoryEntry[] {
		const { index, layers } = this.deps;
		const sizes = layers
			.stack(image.chainId)
			.map((layer) => layers.sizeBytes(layer.chainId))
			.reverse();
		return imageHistory(image, {
			layerSize: (position) => sizes[position] ?? 0,
			parentOf: ({ parent }) => (parent === undefined ? undefined : index.byId(parent)),
		});
	}

	#summary(image: ImageRecord, shared: ReadonlyMap<Digest, number> | undefined, version: ApiVersion): ImageSummary {
		const labels = image.config.config?.["Labels"] as Record<string, string> | null | undefined;
		const containers = this.deps.usedImages().filter((id) => id === image.id).length;
		const isDangling = image.tags.length === 0 && image.repoDigests.length === 0;
		const none = isDangling && !atLeast(version, 43);
		return {
			Id: image.id,
			ParentId: image.parent ?? "",
			RepoTags: none ? ["<none>:<none>"] : image.tags.map(familiar),
			RepoDigests: none ? ["<none>@<none>"] : image.repoDigests.map(familiar),
			Created: Math.floor(createdAtMs(image) / 1000),
			Size: image.sizeBytes,
			SharedSize: shared === undefined ? -1 : this.#sharedSize(image, shared),
			...(atLeast(version, 44) ? {} : { VirtualSize: image.sizeBytes }),
			Labels: labels ?? null,
			Containers: containers,
		};
	}

	/** How many images use each layer. */
	#sharedLayers(): ReadonlyMap<Digest, number> {
		const counts = new Map<Digest, number>();
		for (const image of this.deps.index.all())
			for (const { chainId } of this.deps.layers.stack(image.chainId))
				counts.set(chainId, (counts.get(chainId) ?? 0) + 1);
		return counts;
	}

	#sharedSize(image: ImageRecord, counts: ReadonlyMap<Digest, number>): number {
		return this.deps.layers
			.stack(image.chainId)
			.filter(({ chainId }) => (counts.get(chainId) ?? 0) > 1)
			.reduce((sum, { chainId }) => sum + this.deps.layers.sizeBytes(chainId), 0);
	}

	#layerDirectories(image: ImageRecord): Record<string, string> | null {
		if (image.chainId === undefined || !this.deps.snapshotter.has(image.chainId)) return null;
		const [upper = "", ...lower] = this.deps.snapshotter.stack(image.chainId);
		return { ...(lower.length === 0 ? {} : { LowerDir: lower.join(":") }), UpperDir: upper };
	}
}

/** Fields of containers that older clients find in an image's configuration. */
const CONTAINER_FIELDS = new Set(
	"Hostname Domainname AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Image NetworkDisabled MacAddress StopTimeout".split(
		" ",
	),
);

/** What the image's configuration says, without what it leaves empty. */
function imageConfig(config: Record<string, unknown>): ContainerConfig {
	const said = Object.entries(config).filter(
		([name, value]) => !CONTAINER_FIELDS.has(name) && value !== null && value !== "" && value !== false,
	);
	return Object.fromEntries(said);
}

function inspectedConfig(config: Record<string, unknown>): ContainerConfig {
	return {
		Hostname: "",
		Domainname: "",
		User: "",
		AttachStdin: false,
		AttachStdout: false,
		AttachStderr: false,
		Tty: false,
		OpenStdin: false,
		StdinOnce: false,
		Env: null,
		Cmd: null,
		Image: "",
		Volumes: null,
		WorkingDir: "",
		Entrypoint: null,
		OnBuild: null,
		Labels: null,
		...config,
	};
}
